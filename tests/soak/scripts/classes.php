<?php
spl_autoload_register(fn($class) => require __DIR__ . "/lib/$class.php");
$n = (int) $_GET['n'];
$words = include __DIR__ . '/lib/words.php';
$animal = $n % 2 ? new Dog($n) : new Cat($n);
echo "$animal {$words[$n % 3]};";
