<?php
// Takes longer than php.request_timeout, and some of it longer than the server waits for the thread.
match ($_GET['how']) {
    'sleep' => sleep(60),
    'loop' => (function () {
        set_time_limit(0);
        for (;;);
    })(),
    'child' => exec("sleep {$_GET['seconds']}"),
};
echo 'never';
