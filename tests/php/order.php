<?php

file_put_contents($_GET['file'], basename(readlink('/proc/thread-self')) . " {$_GET['n']}\n", FILE_APPEND | LOCK_EX);
