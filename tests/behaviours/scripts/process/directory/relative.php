<?php
// What starts from the directory of the script: a relative one, a relative program, one of a script that is not there.
function run(array|string $command, ?string $directory = null): string
{
    $process = proc_open($command, [1 => ['pipe', 'w']], $pipes, $directory);
    $output = stream_get_contents($pipes[1]);
    proc_close($process);
    return trim($output);
}
$program = "program-{$_GET['i']}";
file_put_contents($program, "#!/bin/sh\necho started in \$(pwd)\n");
chmod($program, 0755);
$seen = [run('pwd', '..') === dirname(__DIR__), run(["./$program"]) === 'started in ' . __DIR__];
unlink($program);
$lost = "lost-{$_GET['i']}";
mkdir($lost);
chdir($lost);
rmdir(__DIR__ . "/$lost");
$seen[] = run('echo somewhere');
$seen[] = (int) $_GET['i'];
echo json_encode($seen);
