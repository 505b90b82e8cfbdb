<?php

register_shutdown_function(function () {
    file_put_contents($_GET['marker'], 'aborted ' . connection_status());
});
set_time_limit(30);
while (true) {
    echo 'still there?';
    ob_flush();
    flush();
}
