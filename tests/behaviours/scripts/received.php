<?php
header("X-Number: {$_GET['i']}");
header('X-Case-x: 1');
http_response_code($_GET['i'] + 100);
echo json_encode(['request' => getallheaders(), 'same' => apache_request_headers() === getallheaders(),
    'response' => apache_response_headers(), 'code' => http_response_code()]);
