<?php

http_response_code((int) $_GET['status']);
echo 'not for you';
flush();
echo str_repeat('nor this', 1000);
