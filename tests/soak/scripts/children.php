<?php
$n = $_GET['n'];
$seen = [exec("echo $n"), trim(shell_exec("echo $n; ls /proc/self/fd | wc -l"))];
$process = proc_open(['cat'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
fwrite($pipes[0], "through $n");
fclose($pipes[0]);
$seen[] = stream_get_contents($pipes[1]);
$seen[] = proc_close($process);
echo json_encode($seen);
