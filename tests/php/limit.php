<?php

function endless(): never
{
    while (true);
}

$how = $_GET['how'];
register_shutdown_function(function () use ($how) {
    echo ', shutdown';
    if ($how === 'shutdown' || $how === 'both') {
        endless();
    }
    if ($how === 'anew') {
        set_time_limit(30);
        usleep(2_500_000);
        echo ' anew';
    }
});
set_time_limit(2);
echo 'begun';
switch ($how) {
    case 'loop':
    case 'both':
    case 'anew':
        endless();
    case 'sleep':
        sleep(600);
        break;
    case 'read':
        [$quiet, $other] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        stream_set_timeout($quiet, 600);
        fread($quiet, 1);
        break;
    case 'accept':
        @stream_socket_accept(stream_socket_server('tcp://127.0.0.1:0'), 600);
        break;
    case 'fifo':
        // Opening for reading and writing does not wait for the other end; reading does.
        posix_mkfifo($_GET['fifo'], 0600);
        fread(fopen($_GET['fifo'], 'r+'), 1);
        break;
    case 'lifted':
        set_time_limit(0);
        usleep(2_500_000);
        break;
    case 'edge':
        $until = hrtime(true) + 2_000_000_000 + (int) $_GET['ns'];
        while (hrtime(true) < $until);
        break;
}
echo ', end';
