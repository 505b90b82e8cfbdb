<?php

register_shutdown_function(function () {
    echo ', shutdown';
});
set_time_limit(0);
echo 'begun';
ob_flush();
flush();
if ($_GET['how'] === 'sleep') {
    sleep(600);
}
while (true);
