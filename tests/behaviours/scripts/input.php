<?php
$first = file_get_contents('php://input');
$stream = fopen('php://input', 'rb');
fseek($stream, -min(3, strlen($first)), SEEK_END);
echo $_SERVER['REQUEST_METHOD'], ' ', strlen($first), ' ', md5($first), ' ', stream_get_contents($stream), ' ',
    file_get_contents('php://input') === $first ? 'same' : 'differs', ' ', count($_POST);
