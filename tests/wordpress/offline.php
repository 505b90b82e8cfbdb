<?php
/**
 * Plugin Name: Offline
 * Description: Answers for every other host, and swallows mail: for sites on machines without the internet.
 */

// Said to be sent. There is no mail server, and starting one's program for each attempt takes time.
add_filter('pre_wp_mail', '__return_true');

// WordPress asks for news of itself on many pages; each question would wait for its time-out. It still reaches
// itself, which it needs for its scheduled tasks.
add_filter('pre_http_request', function ($response, $arguments, $url) {
    $host = parse_url($url, PHP_URL_HOST);
    if (in_array($host, [parse_url(home_url(), PHP_URL_HOST), 'localhost', '127.0.0.1', '[::1]'], true)) {
        return $response;
    }
    // Nothing is new: the questions that WordPress repeats until they are answered.
    if ($host === 'api.wordpress.org' && preg_match('#/(update-check|version-check|translations)/#', $url) === 1) {
        return [
            'headers' => [],
            'body' => '{"plugins":[],"themes":[],"translations":[],"no_update":[],"offers":[]}',
            'response' => ['code' => 200, 'message' => 'OK'],
            'cookies' => [],
            'filename' => null,
        ];
    }
    return new WP_Error('http_request_failed', 'This machine is offline.');
}, 10, 3);
