<?php
header('Content-Type: text/event-stream');
for ($i = 0; $i < $_GET['events']; $i++) {
    echo "data: {$_GET['n']} $i\n\n";
    flush();
    usleep(2000);
}
