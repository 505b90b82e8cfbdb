<?php
// For clients that leave.
while (true) {
    echo str_repeat("{$_GET['n']};", 500);
    flush();
    usleep(1000);
}
