<?php
// Sets what belongs to a process, starts programs in between, and looks whether all of it is still there.
set_time_limit(0);
$i = $_GET['i'];
$odd = $i % 2 === 1;
$before = [getenv('EPHPM_BEHAVIOUR'), umask(), setlocale(LC_ALL, 0), getcwd() === __DIR__];
putenv("EPHPM_BEHAVIOUR=$i");
umask($odd ? 0077 : 0027);
setlocale(LC_ALL, $odd ? 'C.UTF-8' : 'C');
chdir($odd ? 'directory' : '/');
$directory = getcwd();
$expected = "$i $directory " . ($odd ? '0077' : '0027');
$command = 'echo $EPHPM_BEHAVIOUR $(pwd) $(umask)';
$seen = [];
for ($round = 0; $round < 3; $round++) {
    $seen[] = trim(shell_exec($command));
    $seen[] = exec($command);
    ob_start();
    system($command);
    $seen[] = trim(ob_get_clean());
    ob_start();
    passthru($command);
    $seen[] = trim(ob_get_clean());
    $pipe = popen($command, 'r');
    $seen[] = trim(stream_get_contents($pipe));
    pclose($pipe);
    foreach ([$command, ['sh', '-c', $command]] as $program) {
        $process = proc_open($program, [1 => ['pipe', 'w']], $pipes);
        $seen[] = trim(stream_get_contents($pipes[1]));
        proc_close($process);
    }
    $seen[] = getenv('EPHPM_BEHAVIOUR') . ' ' . getcwd() . sprintf(' %04o', umask());
}
$file = tempnam(__DIR__, 'mode');
unlink($file);
touch($file);
$mode = fileperms($file) & 0777;
unlink($file);
echo json_encode([
    $before,
    array_values(array_unique($seen)) === [$expected] ?: $seen,
    setlocale(LC_ALL, 0),
    decoct($mode),
    isset(getenv()['EPHPM_BEHAVIOUR']),
    (int) $i,
]);
