<?php
class Handler implements SessionHandlerInterface
{
    private $lock;

    public function open($path, $name): bool
    {
        $this->lock = fopen(__DIR__ . '/handler-lock' . ($_GET['lock'] ?? ''), 'c');
        return flock($this->lock, LOCK_EX);
    }

    public function close(): bool
    {
        return flock($this->lock, LOCK_UN) && fclose($this->lock);
    }

    public function read($id): string|false
    {
        match ($_GET['how']) {
            'fatal' => undefined_function(),
            'exit' => exit('exited'),
            'endless read' => $this->endless(),
            default => null,
        };
        return '';
    }

    public function write($id, $data): bool
    {
        $_GET['how'] === 'write' && undefined_function();
        $_GET['how'] === 'endless write' && $this->endless();
        return true;
    }

    private function endless(): void
    {
        set_time_limit(1);
        while (true) {
            usleep(10_000);
        }
    }

    public function destroy($id): bool
    {
        return true;
    }

    public function gc($lifetime): int|false
    {
        return 0;
    }
}

session_set_save_handler(new Handler, true);
session_start();
$_SESSION['i'] = $leak = $_GET['i'];
echo "handled {$_GET['i']}";
