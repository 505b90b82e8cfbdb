<?php

echo 'seen';
fastcgi_finish_request();
echo 'not seen';
