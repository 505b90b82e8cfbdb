<?php
/**
 * Forms: one that asks (GET) and one that sends (POST).
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';
require __DIR__ . '/../lib/session.php';

const COLOURS = ['blue' => 'Blue', 'green' => 'Green', 'orange' => 'Orange'];
const MESSAGE_LENGTH_MAX = 500;

/** What is wrong with the fields, by field. */
function problems(array $fields): array
{
    $problems = [];
    if ($fields['name'] === '') {
        $problems['name'] = 'Please give a name.';
    }
    if ($fields['email'] !== '' && filter_var($fields['email'], FILTER_VALIDATE_EMAIL) === false) {
        $problems['email'] = 'This is not an e-mail address.';
    }
    if (!isset(COLOURS[$fields['colour']])) {
        $problems['colour'] = 'Please choose one of the colours.';
    }
    if (mb_strlen($fields['message']) > MESSAGE_LENGTH_MAX) {
        $problems['message'] = 'Please use at most ' . MESSAGE_LENGTH_MAX . ' characters.';
    }
    return $problems;
}

/** The attributes that tie a field to the message about it. */
function described(array $problems, string $field): string
{
    return isset($problems[$field]) ? ' aria-invalid="true" aria-describedby="' . $field . '-problem"' : '';
}

function problem(array $problems, string $field): string
{
    return isset($problems[$field]) ? '<p class="problem" id="' . $field . '-problem">' . e($problems[$field]) . '</p>' : '';
}

allow_methods('GET', 'HEAD', 'POST');
$posted = $_SERVER['REQUEST_METHOD'] === 'POST';
$fields = [];
foreach (['name', 'email', 'colour', 'message'] as $name) {
    $fields[$name] = text($_POST, $name);
}
$news = isset($_POST['news']);
$question = text($_GET, 'q');
$genuine = csrf_valid();
$problems = $posted ? problems($fields) : [];
http_response_code(match (true) {
    $posted && !$genuine => 403,
    $problems !== [] => 422,
    default => 200,
});

page_begin('Form', 'What you type comes back as text, whatever it is.');
if ($posted && !$genuine): ?>
  <p class="notice bad" role="alert">This form was not sent from your session, or the session has ended. Please send it again.</p>
<?php elseif ($problems !== []): ?>
  <p class="notice bad" role="alert">Please look at the fields below: <?= count($problems) ?> need a change.</p>
<?php elseif ($posted): ?>
  <div class="notice good" role="status">
    <p>Thank you, <?= e($fields['name']) ?>. This is what arrived:</p>
<?php facts('Fields', [...$fields, 'news' => $news ? 'yes' : 'no']) ?>
  </div>
<?php endif ?>
  <h2>Ask (GET)</h2>
  <form action="/form.php" method="get" id="ask">
    <label for="q">A question</label>
    <div class="row"><input id="q" name="q" value="<?= e($question) ?>"><button>Ask</button></div>
  </form>
<?php if ($question !== '') {
    facts('What arrived', ['q' => $question, 'QUERY_STRING' => $_SERVER['QUERY_STRING'] ?? '']);
} ?>

  <h2>Send (POST)</h2>
  <form action="/form.php" method="post" id="send" novalidate>
    <?= csrf_field() ?>

    <label for="name">Name</label>
    <input id="name" name="name" required autocomplete="name" value="<?= e($fields['name']) ?>"<?= described($problems, 'name') ?>>
    <?= problem($problems, 'name') ?>

    <label for="email">E-mail <small>(if you like)</small></label>
    <input id="email" name="email" type="email" autocomplete="email" value="<?= e($fields['email']) ?>"<?= described($problems, 'email') ?>>
    <?= problem($problems, 'email') ?>

    <label for="colour">Colour</label>
    <select id="colour" name="colour"<?= described($problems, 'colour') ?>>
<?php foreach (COLOURS as $value => $label): ?>
      <option value="<?= e($value) ?>"<?= $value === $fields['colour'] ? ' selected' : '' ?>><?= e($label) ?></option>
<?php endforeach ?>
    </select>
    <?= problem($problems, 'colour') ?>

    <label for="message">Message</label>
    <textarea id="message" name="message" rows="4"<?= described($problems, 'message') ?>><?= e($fields['message']) ?></textarea>
    <?= problem($problems, 'message') ?>

    <label class="check"><input type="checkbox" name="news" value="1"<?= $news ? ' checked' : '' ?>> Tell me the news</label>
    <button>Send</button>
  </form>
<?php
page_end();
