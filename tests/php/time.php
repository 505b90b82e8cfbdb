<?php

// A request that takes too long, at a place of its own.
function endless(): never
{
    while (true);
}

class Endless
{
    public function __destruct()
    {
        endless();
    }
}

if (isset($_GET['log'])) {
    ini_set('log_errors', 1);
    ini_set('error_log', $_GET['log']);
}
if (isset($_GET['flush'])) {
    echo 'begun';
    ob_flush();
    flush();
}
set_time_limit(0);
switch ($_GET['how']) {
    case 'sleep':
        sleep(600);
        break;
    case 'usleep':
        usleep(600_000_000);
        break;
    case 'callback':
        $list = [2, 1];
        usort($list, fn () => endless());
        break;
    case 'flock':
        $held = fopen($_GET['file'], 'c');
        flock($held, LOCK_EX);
        flock(fopen($_GET['file'], 'c'), LOCK_EX);
        break;
    case 'read':
        [$quiet, $other] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        stream_set_timeout($quiet, 600);
        fread($quiet, 1);
        break;
    case 'select':
        [$quiet, $other] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        [$read, $none] = [[$quiet], null];
        @stream_select($read, $none, $none, 600);
        break;
    case 'fifo':
        posix_mkfifo($_GET['file'], 0600);
        fread(fopen($_GET['file'], 'r+'), 1);
        unlink($_GET['file']);
        break;
    case 'http':
        file_get_contents("http://127.0.0.1:{$_GET['port']}/");
        break;
    case 'curl':
        $curl = curl_init("http://127.0.0.1:{$_GET['port']}/");
        curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
        curl_exec($curl);
        break;
    case 'curl_multi':
        $multi = curl_multi_init();
        curl_multi_add_handle($multi, curl_init("http://127.0.0.1:{$_GET['port']}/"));
        do {
            curl_multi_exec($multi, $running);
            curl_multi_select($multi, 600);
        } while ($running);
        break;
    case 'mysql':
        new mysqli('127.0.0.1', 'nobody', '', '', (int) $_GET['port']);
        break;
    case 'mysql_query':
        $mysql = new mysqli('127.0.0.1', 'nobody', '', '', (int) $_GET['mysql']);
        $mysql->query('SELECT SLEEP(600)');
        break;
    case 'proc':
        // Ends with its standard input.
        $cat = proc_open(['cat'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
        stream_get_contents($pipes[1]);
        break;
    case 'session':
        // Another one has its lock, which PHP waits for whatever comes, until that one's time is over.
        session_save_path(dirname($_GET['file']));
        session_id(basename($_GET['file']));
        session_start();
        sleep(600);
        break;
    case 'destructor':
        $object = new Endless();
        unset($object);
        break;
    case 'shutdown':
        register_shutdown_function('endless');
        endless();
    case 'buffer':
        ob_start(fn () => endless());
        endless();
    case 'ignore':
        ignore_user_abort(true);
        while (true) {
            echo str_repeat('x', 1000);
        }
    case 'child':
        // pclose() waits for the child whatever comes.
        exec('cat ' . escapeshellarg($_GET['file']));
        break;
    default:
        endless();
}
