<?php
// What a reader of the results has to know about this PHP.
$opcache = function_exists('opcache_get_status') ? opcache_get_status(false) : false;
$settings = [
    'opcache.validate_timestamps', 'opcache.revalidate_freq', 'opcache.memory_consumption', 'output_buffering',
    'memory_limit', 'variables_order', 'realpath_cache_size', 'zend.assertions',
];
header('Content-Type: application/json');
echo json_encode([
    'version' => PHP_VERSION,
    'sapi' => PHP_SAPI,
    'zts' => (bool) PHP_ZTS,
    'opcache' => $opcache['opcache_enabled'] ?? false,
    'jit' => $opcache['jit']['on'] ?? false,
    'extensions' => count(get_loaded_extensions()),
    'settings' => array_combine($settings, array_map('ini_get', $settings)),
]);
