<?php
$n = $_GET['n'];
$content = file_get_contents('php://input');
$same = $content === str_repeat("$n;", (int) $_GET['times']) ? 'same' : 'different';
echo "body $n {$_SERVER['REQUEST_METHOD']} $same ", count($_POST), ';';
