<?php
session_save_path(__DIR__ . '/sessions');
session_start();
$_SESSION['count'] ??= 0;
echo "Count: {$_SESSION['count']} {$_GET['i']}";
$_SESSION['count']++;
$_SESSION['secret'] = $_GET['i'];
match ($_GET['how'] ?? '') {
    'exit' => exit(1),
    'fatal' => undefined_function(),
    default => null,
};
