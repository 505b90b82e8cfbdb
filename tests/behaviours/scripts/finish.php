<?php
ignore_user_abort(false);
register_shutdown_function(fn() => file_put_contents(__DIR__ . "/done-{$_GET['i']}", connection_status() . ' ' . implode(' ', $GLOBALS['log'])));
echo 'seen ', $_GET['i'];
$log[] = json_encode(function_exists('litespeed_finish_request'));
$log[] = json_encode([fastcgi_finish_request(), fastcgi_finish_request(), ephpm_finish_request()]);
echo str_repeat('unseen', 100000);
flush();
header('X-Late: 1');
error_log("after the end of {$_GET['i']}");
$log[] = connection_aborted();
