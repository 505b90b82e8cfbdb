<?php
/**
 * Plugin Name: Offline
 * Description: Answers for every other host, and swallows mail: for sites on machines without the internet.
 */

add_filter('automatic_updater_disabled', '__return_true');

// Said to be sent. There is no mail server, and starting one's program for each attempt takes time.
add_filter('pre_wp_mail', '__return_true');

// WordPress asks for news of itself on many pages; each question would wait for its time-out. It still reaches
// itself, which it needs for its scheduled tasks.
add_filter('pre_http_request', function ($response, $arguments, $url) {
    $host = parse_url($url, PHP_URL_HOST);
    if (in_array($host, [parse_url(home_url(), PHP_URL_HOST), 'localhost', '127.0.0.1', '[::1]'], true)) {
        return $response;
    }
    return [
        'headers' => [],
        // An empty answer to each of the questions: nothing is new, nothing is on offer.
        'body' => '{"plugins":[],"themes":[],"translations":[],"no_update":[],"offers":[]}',
        'response' => ['code' => 200, 'message' => 'OK'],
        'cookies' => [],
        'filename' => null,
    ];
}, 10, 3);
