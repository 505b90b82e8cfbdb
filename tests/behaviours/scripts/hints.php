<?php
header("Link: </style-{$_GET['i']}.css>; rel=preload");
header('Request: ' . $_GET['i']);
headers_send(103);
header_remove('Link');
headers_send(103);
echo 'hinted';
