<?php
if (isset($_GET['raise'])) {
    ini_set('memory_limit', '256M');
    for ($all = []; count($all) < 1500; $all[] = str_repeat('y', 100_000));
    exit(ini_get('memory_limit'));
}
echo strlen(str_repeat('x', 100 << 20));
