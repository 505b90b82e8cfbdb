<?php
// Children list their files, while this request and others have many open.
$own = [fopen(__FILE__, 'r'), tmpfile(), stream_socket_server('tcp://127.0.0.1:0')];
array_push($own, ...stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0));
$own[] = stream_socket_client('tcp://' . stream_socket_get_name($own[2], false));
// Not with ls, which has the directory open, as the shell has while it makes its list.
$list = 'for fd in /proc/$$/fd/*; do [ -e $fd ] && printf "%s " ${fd##*/}; done';
$seen = [shell_exec($list)];
$pipe = popen($list, 'r');
$seen[] = stream_get_contents($pipe);
pclose($pipe);

function run(string $command, array $files): string
{
    $process = proc_open($command, [1 => ['pipe', 'w']] + $files, $pipes);
    $output = stream_get_contents($pipes[1]);
    proc_close($process);
    return $output;
}
$seen[] = run($list, []);
$seen[] = run("$list; cat <&3", [900 => $own[1], 3 => ['file', __DIR__ . '/three.txt', 'r']]);
// A number that is free in this process as well, so that the file has it from the beginning.
$open = array_flip(scandir('/proc/self/fd'));
for ($free = 3; isset($open[$free]); $free++);
$text = run("cat /proc/self/fd/$free", [$free => ['file', __DIR__ . '/three.txt', 'r']]);
$seen[] = $text;
// A pipe whose other end some other child had would never end.
$process = proc_open('cat >&4', [['pipe', 'r'], 4 => ['pipe', 'w']], $pipes);
fwrite($pipes[0], "echo {$_GET['i']}");
fclose($pipes[0]);
$seen[] = stream_get_contents($pipes[4]);
proc_close($process);
echo json_encode($seen);
