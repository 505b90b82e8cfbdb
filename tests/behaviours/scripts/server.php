<?php
header('Content-Type: application/json');
echo json_encode(array_map(fn($value) => is_string($value) ? $value : gettype($value), $_SERVER), JSON_INVALID_UTF8_SUBSTITUTE);
