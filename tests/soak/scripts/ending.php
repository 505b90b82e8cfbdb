<?php
ob_start();
$n = $_GET['n'];
register_shutdown_function(function () use ($n) {
    echo "shutdown $n;";
});

class Deep
{
    public function __get(string $name): mixed
    {
        return (new self)->$name;
    }

    // What is thrown knows each of its callers, which is not for the log.
    public static function dive(): void
    {
        ini_set('memory_limit', '128M');
        try {
            (new self)->depth;
        } catch (Error $error) {
            echo str_starts_with($error->getMessage(), 'Maximum call stack size of ') ? 'deep;' : 'odd;';
        }
    }
}

echo "begun $n;";
match ($_GET['how']) {
    'exit' => exit('over;'),
    'exception' => throw new RuntimeException("soak $n"),
    'fatal' => undefined_function(),
    'memory' => str_repeat('x', 1 << 30),
    'leak' => (function () {
        for ($all = [];; $all[] = str_repeat('y', 100_000));
    })(),
    'deep' => Deep::dive(),
    'time' => (function () {
        set_time_limit(1);
        for (;;);
    })(),
};
