<?php
ob_start();
session_start();
$n = $_SESSION['n'] ??= $_GET['n'];
$count = $_SESSION['count'] = ($_SESSION['count'] ?? 0) + 1;
echo "session $n $count;";
match ($_GET['how']) {
    'go' => null,
    'exit' => exit(),
    'fatal' => undefined_function(),
    'end' => session_destroy(),
};
