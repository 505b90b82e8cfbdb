<?php
error_log("request {$_GET['i']} once");
error_log("two\nlines of {$_GET['i']}.\0 and no more");
echo 'logged';
