<?php
header('Content-Type: application/json');
echo json_encode(['get' => $_GET, 'post' => $_POST, 'cookie' => $_COOKIE, 'files' => count($_FILES), 'env' => count($_ENV)]);
