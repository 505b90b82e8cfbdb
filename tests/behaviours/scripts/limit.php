<?php
ini_set('display_errors', '1');
register_shutdown_function(fn() => print("shutdown {$_GET['i']}"));
echo "begun {$_GET['i']}\n";
set_time_limit(1);
sleep(600);
echo 'never';
