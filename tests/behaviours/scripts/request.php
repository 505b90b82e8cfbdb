<?php
if ($_GET['i'] % 2) {
    require 'lib/request.php';
}
echo 'done';
