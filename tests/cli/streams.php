<?php
// The three streams, as constants and as wrappers.
fwrite(STDOUT, 'out: ' . fgets(STDIN));
fwrite(STDERR, 'err: ' . stream_get_contents(STDIN));
file_put_contents('php://stdout', "stdout\n");
file_put_contents('php://stderr', "stderr\n");
echo get_resource_id(STDIN), get_resource_id(STDOUT), get_resource_id(STDERR), "\n";
