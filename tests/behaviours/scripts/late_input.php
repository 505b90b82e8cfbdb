<?php
register_shutdown_function(function () {
    $content = file_get_contents('php://input');
    echo 'shutdown: ', $content;
    isset($_GET['finish']) && file_put_contents(__DIR__ . "/late-{$_GET['i']}", $content);
});
if (isset($_GET['finish'])) {
    echo 'finished';
    fastcgi_finish_request();
}
