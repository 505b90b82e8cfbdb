<?php
// 1 MiB in pieces of 1 KiB, as templates write.
header('Content-Type: text/plain');
$piece = str_repeat('A line of thirty-two characters', 32) . str_repeat('.', 31) . "\n";
for ($i = 0; $i < 1024; $i++) {
    echo $piece;
}
