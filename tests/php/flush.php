<?php

echo 'He';
ob_flush();
flush();
echo 'llo';
