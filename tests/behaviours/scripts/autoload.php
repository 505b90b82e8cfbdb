<?php
require_once 'lib/functions.php';
spl_autoload_register(fn($class) => require "lib/$class.php");
echo (new Greeter($_GET['i']))->greet(), ' ', function_of_the_library(), ' ', getcwd() === __DIR__ ? 'here' : getcwd();
