<?php
// Wants more than the .user.ini beside it allows, or more than it allows itself.
if (isset($_GET['own'])) {
    ini_set('memory_limit', $_GET['own']);
}
$length = strlen(str_repeat('x', 32 << 20));
echo ini_get('memory_limit'), ' ', $length;
