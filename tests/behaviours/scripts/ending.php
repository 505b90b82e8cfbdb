<?php
class Destructed
{
    public function __destruct()
    {
        echo ' destructor';
    }
}

ini_set('display_errors', $_GET['display'] ?? '0');
register_shutdown_function(function () {
    echo ' first';
    if (isset($_GET['late'])) {
        http_response_code((int) $_GET['late']);
    }
    register_shutdown_function(fn() => print(' last'));
});
register_shutdown_function(fn() => print(' second'));
$destructed = new Destructed;
ob_start();
echo $_GET['i'];
match ($_GET['how']) {
    'exit' => exit(' text'),
    'code' => exit(3),
    'exception' => throw new Exception("request {$_GET['i']}"),
    'fatal' => undefined_function(),
    'memory' => str_repeat('x', 1 << 30),
    'error' => trigger_error('no', E_USER_ERROR),
    'parse' => eval('{'),
    'compile' => require 'lib/broken.php',
    'dd' => [http_response_code(500), exit(1)],
    'none' => null,
};
echo ' end';
