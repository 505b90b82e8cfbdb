<?php
// a-day-later.php DOCUMENT_ROOT — brings what is scheduled forward, as if its day had come, and prints its titles.
//
// No test can turn the machine's clock, and WordPress publishes at once what is due within a minute. Only dates
// change here: publishing is left to the next visit.

// This is no visit.
define('DISABLE_WP_CRON', true);
require $argv[1] . '/wp-load.php';

foreach (get_posts(['post_status' => 'future']) as $post) {
    wp_clear_scheduled_hook('publish_future_post', [$post->ID]);
    $now = gmdate('Y-m-d H:i:s', time() - 1);
    $wpdb->update($wpdb->posts, ['post_date' => get_date_from_gmt($now), 'post_date_gmt' => $now], ['ID' => $post->ID]);
    wp_schedule_single_event(time() - 1, 'publish_future_post', [$post->ID]);
    echo "$post->post_title\n";
}
