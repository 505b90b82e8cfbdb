<?php

echo implode("\n", [
    $_SERVER['REQUEST_METHOD'],
    $_SERVER['REQUEST_URI'],
    $_GET['n'],
    $_POST['p'],
    $_COOKIE['c'],
    $_COOKIE['d'],
    $_SERVER['PHP_AUTH_USER'],
    $_SERVER['HTTP_X_NUMBER'],
    $_SERVER['REMOTE_ADDR'],
    $_SERVER['SCRIPT_NAME'],
    $_SERVER['SCRIPT_FILENAME'],
    file_get_contents('php://input'),
    getcwd(),
]);
