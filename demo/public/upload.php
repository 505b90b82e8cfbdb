<?php
/**
 * Uploading a picture, and a look at what PHP knows about it.
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';
require __DIR__ . '/../lib/session.php';
require __DIR__ . '/../lib/pictures.php';

allow_methods('GET', 'HEAD', 'POST');
$posted = $_SERVER['REQUEST_METHOD'] === 'POST';
$post_bytes_max = ini_parse_quantity(ini_get('post_max_size'));
$file = $_FILES['picture'] ?? null;
$outcome = null;
if ($posted && $_POST === [] && $_FILES === [] && (int) ($_SERVER['CONTENT_LENGTH'] ?? 0) > $post_bytes_max) {
    // PHP has thrown the whole form away, the token with it.
    http_response_code(413);
    $outcome = ['problem' => 'The file is larger than ' . bytes(upload_bytes_max()) . '.'];
} elseif ($posted && !csrf_valid()) {
    http_response_code(403);
    $outcome = ['problem' => 'This form was not sent from your session, or the session has ended. Please send it again.'];
} elseif ($posted) {
    $outcome = is_array($file) && is_string($file['name']) ? keep_picture($file) : ['problem' => 'Please choose one picture.'];
    http_response_code(isset($outcome['name']) ? 200 : 422);
}
// Before any output: this may set a cookie.
$token = csrf_field();

page_begin('Upload', 'A picture is kept outside the document root; a script hands it out with the type that its bytes have.');
if (isset($outcome['problem'])): ?>
  <p class="notice bad" role="alert"><?= e($outcome['problem']) ?></p>
<?php elseif (isset($outcome['name'])): ?>
  <div class="notice good" role="status">
    <p>Here it is:</p>
    <img class="preview" src="/picture.php?name=<?= e($outcome['name']) ?>" alt="The picture that you have just sent">
<?php facts('What PHP says in $_FILES', [
    'name' => $file['name'],
    'full_path' => $file['full_path'] ?? '',
    'type (as claimed)' => $file['type'],
    'size' => number_format($file['size']) . ' bytes',
    'error' => $file['error'],
]) ?>
  </div>
<?php endif ?>
  <form action="/upload.php" method="post" enctype="multipart/form-data" id="upload">
    <?= $token ?>

    <label for="picture">A picture <small>(PNG, JPEG, GIF or WebP, at most <?= e(bytes(upload_bytes_max())) ?>)</small></label>
    <input id="picture" name="picture" type="file" accept="image/png,image/jpeg,image/gif,image/webp" required>
    <button>Send</button>
  </form>

<?php if (($names = pictures()) !== []): ?>
  <h2>Recent pictures <small>(the last <?= PICTURES_MAX ?> are kept)</small></h2>
  <ul class="gallery">
<?php foreach ($names as $name): ?>
    <li><a href="/picture.php?name=<?= e($name) ?>"><img src="/picture.php?name=<?= e($name) ?>" alt="A visitor’s picture" loading="lazy"></a></li>
<?php endforeach ?>
  </ul>
<?php endif;
facts('Limits of php.ini', [
    'file_uploads' => ini_get('file_uploads') ? 'on' : 'off',
    'upload_max_filesize' => ini_get('upload_max_filesize'),
    'post_max_size' => ini_get('post_max_size'),
    'max_file_uploads' => ini_get('max_file_uploads'),
]);
page_end();
