<?php
// What would be done to all of the server.
ini_set('display_errors', '1');
$seen = [];
foreach (['dl', 'pcntl_fork', 'pcntl_exec', 'pcntl_unshare', 'pcntl_rfork'] as $function) {
    if (function_exists($function)) {
        error_clear_last();
        $result = @$function('x');
        $seen[$function] = [$result, error_get_last()['message']];
    }
}
echo json_encode($seen);
