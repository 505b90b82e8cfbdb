<?php
echo isset($_GET['i']) ? "I am request {$_GET['i']}" : 'i not set';
