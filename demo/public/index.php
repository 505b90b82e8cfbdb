<?php
/**
 * The front controller: it answers every path that is neither a file nor another script.
 */

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib/page.php';

// /index.php/hello/World and /hello/World are the same page.
$path = rawurldecode(strtok($_SERVER['REQUEST_URI'], '?'));
$path = preg_replace('#\A/index\.php(?=/|\z)#', '', $path);

if ($path === '' || $path === '/') {
    allow_methods('GET', 'HEAD');
    require __DIR__ . '/../lib/home.php';
} elseif (preg_match('#\A/hello/([^/]{1,60})\z#u', $path, $match) === 1) {
    allow_methods('GET', 'HEAD');
    $name = $match[1];
    require __DIR__ . '/../lib/hello.php';
} else {
    require __DIR__ . '/../lib/not-found.php';
}
