<?php
$seen = [date_default_timezone_get(), mb_internal_encoding(), getcwd() === __DIR__, error_reporting(), ob_get_level(),
    set_error_handler(fn() => true), $GLOBALS['left'] ?? null, set_exception_handler(fn() => null)];
date_default_timezone_set('Pacific/Chatham');
mb_internal_encoding('SJIS');
chdir('/');
error_reporting(0);
umask(0);
define('LEFT', 1);
$left = $_GET['i'];
ob_start();
ob_start();
setlocale(LC_ALL, 'C');
libxml_use_internal_errors(true);
stream_wrapper_register('left', 'stdClass');
echo json_encode($seen);
