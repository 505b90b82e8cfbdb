<?php
// What bin/composer does, for the Composer in WP-CLI's archive, which comes without. It is older than some deprecations.
error_reporting(E_ALL & ~E_DEPRECATED);
require 'phar://' . getenv('WP_CLI_PHAR') . '/vendor/autoload.php';
Composer\Util\Platform::putEnv('COMPOSER_BINARY', realpath($_SERVER['argv'][0]));
(new Composer\Console\Application())->run();
