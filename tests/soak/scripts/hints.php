<?php
header("Link: </{$_GET['n']}.css>; rel=preload");
headers_send(103);
echo "hinted {$_GET['n']};";
