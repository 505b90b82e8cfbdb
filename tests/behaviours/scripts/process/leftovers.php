<?php
// Everything that a request may leave behind, looked at first and then set. What differs from the first request is told.
class Holder
{
    public static $value;
}
function counted(): int
{
    static $count = 0;
    return ++$count;
}
function state(): array
{
    return [
        'timezone' => date_default_timezone_get(),
        'reporting' => error_reporting(),
        'error handler' => set_error_handler(null) !== null,
        'exception handler' => set_exception_handler(null) !== null,
        'last error' => error_get_last(),
        'static' => counted(),
        'static property' => Holder::$value,
        'constant' => defined('LEFT'),
        'global' => $GLOBALS['left'] ?? null,
        // The script itself may be one.
        'files' => count(get_resources('stream')) < 3,
        'libxml' => libxml_use_internal_errors(),
        'libxml errors' => count(libxml_get_errors()),
        'mb encoding' => mb_internal_encoding(),
        'mb substitute' => mb_substitute_character(),
        'mb language' => mb_language(),
        'wrappers' => stream_get_wrappers(),
        'filters' => stream_get_filters(),
        'context' => stream_context_get_options(stream_context_get_default()),
        'gc' => gc_enabled(),
        'session' => [session_name(), session_id(), session_save_path(), session_get_cookie_params()],
        'ini' => array_map('ini_get', ['precision', 'assert.exception', 'include_path', 'user_agent', 'memory_limit']),
        'settings changed' => array_filter(ini_get_all(), fn($s) => $s['global_value'] !== $s['local_value']),
        'autoload' => count(spl_autoload_functions()),
        'buffers' => ob_get_level(),
        'abort' => ignore_user_abort(),
        'locale' => setlocale(LC_ALL, 0),
        'umask' => umask(),
        'directory' => getcwd() === __DIR__,
        'environment' => getenv('LEFT'),
        'json' => json_last_error(),
        'preg' => preg_last_error(),
        'strtok' => @strtok(' '),
        'bcmath' => function_exists('bcscale') ? bcscale() : null,
        'headers' => headers_list(),
        'status' => http_response_code(),
        'random' => mt_rand() === 895547922,
    ];
}
$state = state();
date_default_timezone_set('Pacific/Chatham');
error_reporting(0);
set_error_handler(fn() => true);
set_exception_handler(fn() => null);
@trigger_error('left');
Holder::$value = $_GET['i'];
define('LEFT', $_GET['i']);
ini_set('assert.active', '0');
$left = $_GET['i'];
libxml_use_internal_errors(true);
simplexml_load_string('<');
mb_internal_encoding('SJIS');
mb_substitute_character(0x3013);
mb_language('Japanese');
stream_wrapper_unregister('data');
stream_wrapper_register('left', Holder::class);
stream_filter_register('left.*', Holder::class);
stream_context_set_default(['http' => ['header' => 'X-Left: ' . $_GET['i']]]);
gc_disable();
session_name('LEFT');
session_set_cookie_params(17);
ini_set('precision', '3');
ini_set('assert.exception', '0');
ini_set('user_agent', 'left');
ini_set('memory_limit', '99M');
set_include_path('/left');
spl_autoload_register(fn($class) => null);
ignore_user_abort(true);
setlocale(LC_ALL, 'C.UTF-8');
umask(0);
putenv('LEFT=1');
json_decode('{');
@preg_match('/(?:\D+|<\d+>)*[!?]/', 'foobar foobar foobar');
strtok('left over', ' ');
if (function_exists('bcscale')) {
    bcscale(7);
}
$files = array_map(fn() => fopen(__FILE__, 'r'), range(1, 5));
header('X-Left: 1');
http_response_code(202);
mt_srand(1);
srand(1);
register_shutdown_function(fn() => chdir('/'));
ob_start();
ob_start();
echo json_encode($state);
