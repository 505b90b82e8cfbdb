<?php
// Sets what a process has once, and looks whether it was as at the start, and is as it was set.
$n = $_GET['n'];
$mask = $n % 2 ? 0077 : 0027;
$before = [getenv('SOAK'), getcwd() === __DIR__, setlocale(LC_NUMERIC, 0), date_default_timezone_get(), ini_get('precision')];
putenv("SOAK=$n");
$old = umask($mask);
// The main thread's, which nobody changes.
$masked = str_contains(file_get_contents('/proc/self/status'), sprintf("Umask:\t%04o\n", $old));
setlocale(LC_NUMERIC, 'C.UTF-8');
chdir('/');
ini_set('precision', '5');
date_default_timezone_set('Asia/Tokyo');
usleep(2000);
$child = exec('echo $SOAK $(umask) $(pwd)');
echo json_encode([...$before, $masked, getenv('SOAK'), umask() === $mask, setlocale(LC_NUMERIC, 0), getcwd(), $child]);
