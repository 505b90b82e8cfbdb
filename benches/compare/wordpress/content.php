<?php
// What the site holds, and who is logged in: run by WP-CLI (eval-file). Prints the cookie of its owner.

$paragraph = "<!-- wp:paragraph -->\n<p>%s</p>\n<!-- /wp:paragraph -->\n";
$heading = "<!-- wp:heading -->\n<h2 class=\"wp-block-heading\">Part %d</h2>\n<!-- /wp:heading -->\n";
$sentence = 'Bread takes flour, water, salt and time; the last of these cannot be bought & is “often” forgotten. ';
for ($number = 1; $number <= 20; $number++) {
    $content = '';
    for ($part = 1; $part <= 5; $part++) {
        $content .= sprintf($heading, $part) . sprintf($paragraph, str_repeat($sentence, 4 + ($number + $part) % 5));
    }
    $post = wp_insert_post([
        'post_title' => "Bread, part $number",
        'post_name' => "bread-$number",
        'post_content' => $content,
        'post_status' => 'publish',
        'post_author' => 1,
        'post_date' => sprintf('2026-01-%02d 08:00:00', $number),
        'tags_input' => ['bread', "part $number"],
    ]);
    for ($comment = 1; $comment <= 3; $comment++) {
        wp_insert_comment([
            'comment_post_ID' => $post,
            'comment_author' => "Reader $comment",
            'comment_author_email' => "reader$comment@example.org",
            'comment_content' => $sentence,
            'comment_date' => sprintf('2026-01-%02d %02d:00:00', $number, 8 + $comment),
        ]);
    }
}
$cookie = wp_generate_auth_cookie(1, time() + DAY_IN_SECONDS, 'logged_in');
echo LOGGED_IN_COOKIE . '=' . rawurlencode($cookie) . "\n";
