<?php
$before = ini_get('precision');
ini_set('precision', (string) (5 + $_GET['i'] % 7));
echo ini_get($_GET['key']), ' ', $before, ' ', 1 / 3;
