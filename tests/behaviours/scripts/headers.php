<?php
http_response_code(201);
header('Foo: bar');
header('Foo2: bar2');
header('Foo3:bar3');
header('Invalid');
header('Removed: x');
header_remove('Removed');
header("I: {$_GET['i']}");
header('Set-Cookie: a=1', false);
header('Set-Cookie: b=2', false);
setcookie('i', $_GET['i'], ['httponly' => true, 'samesite' => 'Lax']);
header('X-Long: ' . str_repeat('x', 8000));
header('X-Bytes: ä');
echo 'Hello';
