<?php
declare(strict_types=1);
// A page as template engines leave it: classes, included parts, loops, escaping.
require __DIR__ . '/page/Post.php';

function h(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

$title = 'Notes & queries';
$posts = Post::all(18);
include __DIR__ . '/page/head.php';
foreach ($posts as $post) {
    include __DIR__ . '/page/item.php';
}
include __DIR__ . '/page/foot.php';
