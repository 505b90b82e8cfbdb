<?php
// What a script sees of the environment: by name, all of it, in superglobals, and what its children see.
$names = ['APP_ENV', 'PASSED', 'MISSING', 'EPHPM_TEST_SECRET', 'PATH', 'REQUEST_METHOD'];
$of = fn(array $from) => array_map(fn($name) => $from[$name] ?? null, $names);
putenv('SET=1');
ob_start();
phpinfo(INFO_ENVIRONMENT | INFO_LICENSE);
$info = strip_tags(ob_get_clean());
preg_match_all('/^(APP_ENV|PASSED|EPHPM_TEST_SECRET|PATH|SET) (.*?) *$/m', $info, $rows);
$environment = shell_exec('env');
preg_match_all('/^(APP_ENV|PASSED|EPHPM_TEST_SECRET|SET)=(.*)$/m', (string) $environment, $childs);
$child = array_combine($childs[1], $childs[2]);
ksort($child);
echo json_encode([
    'getenv' => array_map('getenv', $names),
    'local' => array_map(fn($name) => getenv($name, true), $names),
    'all' => $of(getenv()),
    'server' => $of($_SERVER),
    'env' => $of($_ENV),
    'info' => array_combine($rows[1], $rows[2]),
    'child' => $child,
], JSON_UNESCAPED_SLASHES);
