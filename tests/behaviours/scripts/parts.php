<?php
// Each part waits until the client has seen the one before.
header('Content-Type: ' . ($_GET['how'] === 'events' ? 'text/event-stream' : 'text/plain'));
foreach ([1, 2, 3] as $part) {
    echo "data: $part of {$_GET['i']}\n\n";
    flush();
    while (!file_exists("seen-{$_GET['i']}-$part")) {
        usleep(1000);
        clearstatcache();
    }
}
echo 'end';
