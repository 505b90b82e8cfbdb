<?php
/**
 * All of $_SERVER: for visitors on this machine only.
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';

/** Whether the visitor sits at this machine. Behind a proxy the address is the proxy's, so then: no. */
function is_local(): bool
{
    $address = preg_replace('/\A::ffff:/i', '', $_SERVER['REMOTE_ADDR'] ?? '');
    $forwarded = isset($_SERVER['HTTP_FORWARDED']) || isset($_SERVER['HTTP_X_FORWARDED_FOR']) || isset($_SERVER['HTTP_VIA']);
    return !$forwarded && ($address === '::1' || str_starts_with($address, '127.'));
}

/** Secrets stay out, even here: screens are shared, pages are pasted. */
function without_secrets(array $variables): array
{
    foreach (['HTTP_COOKIE', 'HTTP_AUTHORIZATION', 'PHP_AUTH_PW', 'PHP_AUTH_DIGEST'] as $name) {
        if (isset($variables[$name])) {
            $variables[$name] = '(' . strlen($variables[$name]) . ' bytes, not shown)';
        }
    }
    ksort($variables);
    return $variables;
}

allow_methods('GET', 'HEAD');
if (!is_local()) {
    http_response_code(403);
    page_begin('For this machine only', 'This page tells much about the server, so it answers local visitors only.');
    page_end();
    exit;
}
header('Cache-Control: no-store');
page_begin('Environment', 'What the server tells PHP about this request.');
facts('$_SERVER', without_secrets($_SERVER));
facts('php.ini', [
    'Loaded file' => php_ini_loaded_file() ?: 'none',
    'display_errors' => ini_get('display_errors'),
    'error_log' => ini_get('error_log') ?: 'the server’s log',
    'max_execution_time' => ini_get('max_execution_time'),
    'output_buffering' => ini_get('output_buffering'),
    'variables_order' => ini_get('variables_order'),
]);
page_end();
