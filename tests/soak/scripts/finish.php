<?php
echo "seen {$_GET['n']};";
fastcgi_finish_request();
echo 'unseen';
usleep(5000);
file_put_contents($_SERVER['DOCUMENT_ROOT'] . '/../finished', "{$_GET['n']}\n", FILE_APPEND | LOCK_EX);
