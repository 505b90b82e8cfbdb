<?php
/**
 * A page at a URL that is no file: /hello/{name}. Expects $name.
 */

declare(strict_types=1);

namespace Demo;

page_begin("Hello, $name", 'There is no file at this URL: the front controller, index.php, made the page from the path.');
facts('How the path arrived', [
    'REQUEST_URI' => $_SERVER['REQUEST_URI'],
    'SCRIPT_NAME' => $_SERVER['SCRIPT_NAME'],
    'PATH_INFO' => $_SERVER['PATH_INFO'] ?? '',
    'QUERY_STRING' => $_SERVER['QUERY_STRING'] ?? '',
]);
?>
  <p>The same page by <a href="/index.php/hello/<?= e(rawurlencode($name)) ?>">its path behind the script</a>.</p>
<?php
page_end();
