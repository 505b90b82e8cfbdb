<?php
/** A stream whose end is seen from outside: its file is gone then. */
final class Held
{
    public $context;
    private string $file;

    public function stream_open(string $path): bool
    {
        $this->file = __DIR__ . '/held-' . parse_url($path, PHP_URL_HOST);
        return touch($this->file);
    }

    public function stream_close(): void
    {
        usleep(1000);
        unlink($this->file);
        echo 'unseen';
    }
}

stream_wrapper_register('held', Held::class);
$held = fopen("held://{$_GET['i']}", 'w');
$large = str_repeat('x', 8 << 20);
echo "held {$_GET['i']} ", json_encode(file_exists(__DIR__ . "/held-{$_GET['i']}"));
