<?php

class Destructed
{
    public function __destruct()
    {
        echo ' destructor';
    }
}

register_shutdown_function(function () {
    echo ' shutdown';
});
$object = new Destructed();
echo $_GET['n'], ' before';
match ($_GET['how']) {
    'exit' => exit(' text'),
    'fatal' => trigger_error('on purpose', E_USER_ERROR),
    'exception' => throw new Exception('on purpose'),
    'code' => http_response_code(418) && exit(1),
    'none' => null,
};
echo ' after';
