<?php
$piece = str_repeat("{$_GET['n']};", 1000);
for ($i = 0; $i < $_GET['thousands']; $i++) {
    echo $piece;
}
