<?php

if (isset($_GET['flush'])) {
    flush();
}
usleep(100000);
