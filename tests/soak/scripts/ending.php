<?php
ob_start();
$n = $_GET['n'];
register_shutdown_function(function () use ($n) {
    echo "shutdown $n;";
});
$deep = fn($deep, $x) => array_map(fn($y) => $deep($deep, $y), [$x]);
echo "begun $n;";
match ($_GET['how']) {
    'exit' => exit('over;'),
    'exception' => throw new RuntimeException("soak $n"),
    'fatal' => undefined_function(),
    'memory' => str_repeat('x', 1 << 30),
    'leak' => (function () {
        for ($all = [];; $all[] = str_repeat('y', 100_000));
    })(),
    'deep' => [ini_set('memory_limit', '128M'), $deep($deep, 1)],
    'time' => (function () {
        set_time_limit(1);
        for (;;);
    })(),
};
