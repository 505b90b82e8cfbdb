<?php
if (isset($_GET['raise'])) {
    ini_set('memory_limit', '64M');
    for ($all = []; count($all) < 400; $all[] = str_repeat('y', 100_000));
    exit(ini_get('memory_limit') . " {$_GET['i']}");
}
echo strlen(str_repeat('x', 32 << 20));
