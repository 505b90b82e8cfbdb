<?php
echo basename(__DIR__), ' ', $_GET['n'], ' ', ini_get('precision'), ';';
