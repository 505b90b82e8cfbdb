<?php
/**
 * The frame that every page shares: escaping, input, headers, navigation.
 *
 * Lives beside the document root, not in it, so that no URL leads here.
 */

declare(strict_types=1);

namespace Demo;

/** The pages of the navigation, in order. */
const PAGES = [
    '/' => 'Home',
    '/form.php' => 'Form',
    '/upload.php' => 'Upload',
    '/guestbook.php' => 'Guest book',
    '/stream.php' => 'Streaming',
    '/environment.php' => 'Environment',
];

/** Text, made safe for HTML content and quoted attributes. */
function e(string|int|float $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

/** A field of $_GET or $_POST as trimmed, valid UTF-8 text; '' for anything else (an array, broken bytes). */
function text(array $source, string $name): string
{
    $value = $source[$name] ?? '';
    return is_string($value) && mb_check_encoding($value, 'UTF-8') ? trim($value) : '';
}

/** A field of $_GET as a whole number within bounds. */
function whole_number(array $source, string $name, int $default, int $min, int $max): int
{
    $value = filter_var($source[$name] ?? $default, FILTER_VALIDATE_INT);
    return max($min, min($max, $value === false ? $default : $value));
}

/** Ends the request with 405 unless its method is one of these. */
function allow_methods(string ...$methods): void
{
    if (!in_array($_SERVER['REQUEST_METHOD'], $methods, true)) {
        http_response_code(405);
        header('Allow: ' . implode(', ', $methods));
        page_begin('Method not allowed', 'This page takes ' . implode(', ', $methods) . ' only.');
        page_end();
        exit;
    }
}

/** Sends the headers and everything above the page's own content. */
function page_begin(string $title, string $lead = ''): void
{
    header('Content-Type: text/html; charset=utf-8');
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: same-origin');
    header("Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        . "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    ?>
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title><?= e($title) ?> · ePHPm demo</title>
  <link rel="icon" href="/assets/logo.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/assets/style.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="site">
  <a class="brand" href="/"><img src="/assets/logo.svg" width="36" height="36" alt=""> ePHPm demo</a>
  <nav aria-label="Pages">
    <ul>
<?php foreach (PAGES as $path => $name): ?>
      <li><a href="<?= e($path) ?>"<?= is_current($path) ? ' aria-current="page"' : '' ?>><?= e($name) ?></a></li>
<?php endforeach ?>
    </ul>
  </nav>
</header>
<main id="content">
  <h1><?= e($title) ?></h1>
<?php if ($lead !== ''): ?>
  <p class="lead"><?= e($lead) ?></p>
<?php endif;
}

/** Everything below the page's own content. */
function page_end(): void
{
    $milliseconds = (microtime(true) - $_SERVER['REQUEST_TIME_FLOAT']) * 1000;
    ?>
</main>
<footer class="site">
  <p>PHP <?= e(PHP_VERSION) ?> · <?= e(PHP_SAPI) ?> · made in <?= e(number_format($milliseconds, 1)) ?> ms</p>
</footer>
</body>
</html>
<?php
}

/** A table of names and values, both escaped. */
function facts(string $caption, array $facts): void
{
    ?>
  <div class="scroll" tabindex="0" role="region" aria-label="<?= e($caption) ?>">
  <table>
    <caption><?= e($caption) ?></caption>
<?php foreach ($facts as $name => $value): ?>
    <tr><th scope="row"><?= e($name) ?></th><td><?= e(is_scalar($value) ? $value : json_encode($value, JSON_INVALID_UTF8_SUBSTITUTE)) ?></td></tr>
<?php endforeach ?>
  </table>
  </div>
<?php
}

/** A size in bytes the way people say it. */
function bytes(int $size): string
{
    return match (true) {
        $size >= 1 << 20 => number_format($size / (1 << 20), 1) . ' MiB',
        $size >= 1 << 10 => number_format($size / (1 << 10), 1) . ' KiB',
        default => number_format($size) . ' bytes',
    };
}

function is_current(string $path): bool
{
    return $_SERVER['SCRIPT_NAME'] === $path || strtok($_SERVER['REQUEST_URI'], '?') === $path;
}
