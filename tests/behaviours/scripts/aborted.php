<?php
ignore_user_abort((bool) $_GET['ignore']);
register_shutdown_function(fn() => rename(__DIR__ . "/began-{$_GET['i']}", __DIR__ . "/ended-{$_GET['i']}"));
file_put_contents("began-{$_GET['i']}", 'nothing');
echo 'here';
flush();
if ($_GET['finish'] ?? false) {
    fastcgi_finish_request();
}
while (!file_exists("left-{$_GET['i']}")) {
    usleep(1000);
    clearstatcache();
}
for ($n = 0; $n < 10000 && !connection_aborted() && empty($_GET['finish']); $n++) {
    usleep(1000);
}
file_put_contents("began-{$_GET['i']}", 'status ' . connection_status());
echo str_repeat('x', 100000);
flush();
file_put_contents("began-{$_GET['i']}", ' went on', FILE_APPEND);
