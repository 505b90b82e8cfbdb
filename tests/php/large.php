<?php

$line = $_GET['n'] . " lorem ipsum\n";
for ($size = strlen($line); $size <= $_GET['size']; $size += strlen($line)) {
    echo $line;
}
