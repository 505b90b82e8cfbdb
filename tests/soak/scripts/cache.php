<?php
// What deploys do to the cache.
match ($_GET['how']) {
    'reset' => opcache_reset(),
    'invalidate' => array_map(fn($file) => opcache_invalidate($file, true), glob(__DIR__ . '/{*,lib/*}.php', GLOB_BRACE)),
};
echo "cache {$_GET['n']};";
