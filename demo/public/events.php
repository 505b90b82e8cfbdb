<?php
/**
 * Server-sent events: /events.php?count=10&pause_ms=300. A client that comes back is served from where it was.
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';
require __DIR__ . '/../lib/stream.php';

allow_methods('GET', 'HEAD');
$count = whole_number($_GET, 'count', 10, 1, 50);
$pause_ms = whole_number($_GET, 'pause_ms', 300, 0, 1000);
$seen = whole_number($_SERVER, 'HTTP_LAST_EVENT_ID', 0, 0, $count);

header('Content-Type: text/event-stream; charset=utf-8');
stream_begin();
stream_send("retry: 2000\n\n");
for ($number = $seen + 1; $number <= $count; $number++) {
    $data = json_encode(['number' => $number, 'of' => $count, 'time' => date('H:i:s'), 'memory' => memory_get_usage()]);
    stream_send("id: $number\ndata: $data\n\n", $number < $count ? $pause_ms : 0);
}
stream_send("event: end\ndata: {}\n\n");
