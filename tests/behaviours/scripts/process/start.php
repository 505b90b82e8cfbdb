<?php
// Starts a program some times, one start after another, however long the machine takes for it.
set_time_limit(0);
for ($n = $started = 0; $n < (int) $_GET['times']; $n++) {
    $process = proc_open([$_GET['program']], [], $pipes);
    $started += $process && proc_close($process) === 0;
}
echo $started;
