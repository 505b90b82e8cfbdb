<?php
echo ini_get('opcache.enable') ? 'OPcache: ' : 'no OPcache: ',
    function_exists('preloaded') ? preloaded() : 'nothing is preloaded', ' ', $_GET['i'];
