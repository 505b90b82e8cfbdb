<?php
/**
 * The guest book: sign it, leaf through it.
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';
require __DIR__ . '/../lib/session.php';
require __DIR__ . '/../lib/guestbook.php';

allow_methods('GET', 'HEAD', 'POST');
$book = new GuestBook();
$name = text($_POST, 'name');
$message = text($_POST, 'message');
$problem = '';
if ($_SERVER['REQUEST_METHOD'] === 'POST') {
    $problem = match (true) {
        !csrf_valid() => 'This form was not sent from your session, or the session has ended. Please send it again.',
        $name === '' || $message === '' => 'Please give a name and a message.',
        mb_strlen($name) > GuestBook::NAME_LENGTH_MAX => 'Please use a shorter name.',
        mb_strlen($message) > GuestBook::MESSAGE_LENGTH_MAX => 'Please use a shorter message.',
        default => '',
    };
    if ($problem === '') {
        $book->sign($name, $message);
        $_SESSION['signed'] = true;
        // See Other: reloading the page that follows does not sign again.
        header('Location: /guestbook.php', true, 303);
        exit;
    }
    http_response_code(csrf_valid() ? 422 : 403);
}
$token = csrf_field();
$signed = $_SESSION['signed'] ?? false;
unset($_SESSION['signed']);

$count = $book->count();
$pages = max(1, (int) ceil($count / GuestBook::ENTRIES_PER_PAGE));
$page = whole_number($_GET, 'page', 1, 1, $pages);

page_begin('Guest book', $count === 0 ? 'Nobody has signed yet. Be the first.' : "$count " . ($count === 1 ? 'entry' : 'entries') . ' so far.');
if ($problem !== ''): ?>
  <p class="notice bad" role="alert"><?= e($problem) ?></p>
<?php elseif ($signed): ?>
  <p class="notice good" role="status">Thank you for signing.</p>
<?php endif ?>
  <form action="/guestbook.php" method="post" id="sign">
    <?= $token ?>

    <label for="name">Name</label>
    <input id="name" name="name" required maxlength="<?= GuestBook::NAME_LENGTH_MAX ?>" autocomplete="name" value="<?= e($name) ?>">
    <label for="message">Message</label>
    <textarea id="message" name="message" rows="3" required maxlength="<?= GuestBook::MESSAGE_LENGTH_MAX ?>"><?= e($message) ?></textarea>
    <button>Sign</button>
  </form>

  <ol class="entries" reversed start="<?= $count - ($page - 1) * GuestBook::ENTRIES_PER_PAGE ?>">
<?php foreach ($book->page($page) as $entry): ?>
    <li>
      <p><strong><?= e($entry['name']) ?></strong>
        <time datetime="<?= e(gmdate('Y-m-d\TH:i:s\Z', $entry['signed_at'])) ?>"><?= e(gmdate('j F Y, H:i', $entry['signed_at'])) ?> UTC</time></p>
      <p><?= nl2br(e($entry['message'])) ?></p>
    </li>
<?php endforeach ?>
  </ol>
<?php if ($pages > 1): ?>
  <nav class="pages" aria-label="Pages of the guest book">
<?php if ($page > 1): ?>
    <a rel="prev" href="/guestbook.php?page=<?= $page - 1 ?>">Newer</a>
<?php endif ?>
    <span>Page <?= $page ?> of <?= $pages ?></span>
<?php if ($page < $pages): ?>
    <a rel="next" href="/guestbook.php?page=<?= $page + 1 ?>">Older</a>
<?php endif ?>
  </nav>
<?php endif;
page_end();
