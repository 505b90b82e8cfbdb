<?php
// What the WordPress of the training holds: run by WP-CLI (eval-file).

$paragraphs = [
    'Turning the compost brings air to what lives in it, and the heap is warm again within a day.',
    'The soil below the <em>beans</em> is left as it is; their roots keep what the next crop needs.',
    'Rain, at last: 12&nbsp;mm in the night, “enough” as my neighbour says – and he is hard to please.',
    'See <a href="https://example.org/sowing">the calendar</a> for dates. Things to bring: twine, a knife, patience...',
];
$vegetables = wp_create_category('Vegetables');
for ($number = 1; $number <= 30; $number++) {
    $content = '';
    for ($part = 0; $part < 8; $part++) {
        $text = $paragraphs[($number + $part) % count($paragraphs)];
        $content .= $part % 3 === 2
            ? "<!-- wp:list -->\n<ul class=\"wp-block-list\"><!-- wp:list-item -->\n<li>$text</li>\n<!-- /wp:list-item --></ul>\n<!-- /wp:list -->\n\n"
            : "<!-- wp:paragraph -->\n<p>$text</p>\n<!-- /wp:paragraph -->\n\n";
    }
    $post = wp_insert_post([
        'post_title' => "Garden notes $number",
        'post_name' => "garden-notes-$number",
        'post_content' => $content,
        'post_status' => 'publish',
        'post_author' => 1,
        'post_date' => sprintf('2025-%02d-%02d 08:00:00', 1 + $number % 12, 1 + $number % 28),
        'post_category' => [$vegetables],
        'tags_input' => ['soil', "month $number"],
    ]);
    for ($comment = 1; $comment <= $number % 5; $comment++) {
        wp_insert_comment([
            'comment_post_ID' => $post,
            'comment_author' => "Reader $comment",
            'comment_author_email' => "reader$comment@example.org",
            'comment_content' => $paragraphs[$comment % count($paragraphs)],
        ]);
    }
}
wp_insert_post([
    'post_type' => 'page',
    'post_title' => 'About the garden',
    'post_name' => 'about-the-garden',
    'post_content' => "<!-- wp:paragraph -->\n<p>It began as a heap of compost.</p>\n<!-- /wp:paragraph -->",
    'post_status' => 'publish',
    'post_author' => 1,
]);
// Comments are shown at once, however many come from one address.
update_option('comment_moderation', '0');
update_option('comment_previously_approved', '0');
