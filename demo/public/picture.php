<?php
/**
 * Hands out an uploaded picture: /picture.php?name=….
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';
require __DIR__ . '/../lib/pictures.php';

allow_methods('GET', 'HEAD');
$name = text($_GET, 'name');
$path = picture_path($name);
if ($path === null) {
    require __DIR__ . '/../lib/not-found.php';
    exit;
}
// A name is made at random and its picture never changes: the name is the validator.
$tag = '"' . strtok($name, '.') . '"';
header("ETag: $tag");
header('Cache-Control: private, max-age=86400, immutable');
if (($_SERVER['HTTP_IF_NONE_MATCH'] ?? '') === $tag) {
    http_response_code(304);
    exit;
}
header('Content-Type: ' . match (pathinfo($name, PATHINFO_EXTENSION)) {
    'png' => 'image/png',
    'jpg' => 'image/jpeg',
    'gif' => 'image/gif',
    'webp' => 'image/webp',
});
header('Content-Length: ' . filesize($path));
// A stranger's file: nothing in it may run, and no browser may take it for something else.
header('X-Content-Type-Options: nosniff');
header("Content-Security-Policy: default-src 'none'; sandbox");
if ($_SERVER['REQUEST_METHOD'] !== 'HEAD') {
    readfile($path);
}
