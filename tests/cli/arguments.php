<?php
// What a script learns of how it was called.
echo json_encode([$argc, $argv, $_SERVER['argc'], $_SERVER['argv'] === $argv], JSON_UNESCAPED_SLASHES), "\n";
