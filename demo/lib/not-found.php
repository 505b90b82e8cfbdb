<?php
/**
 * What index.php answers to a path that it does not know.
 */

declare(strict_types=1);

namespace Demo;

http_response_code(404);
page_begin('Nothing here', 'No file has this name, and the front controller knows no such page.');
facts('What was asked for', [
    'Method' => $_SERVER['REQUEST_METHOD'],
    'REQUEST_URI' => $_SERVER['REQUEST_URI'],
    'PATH_INFO' => $_SERVER['PATH_INFO'] ?? '',
]);
?>
  <p><a href="/">Back to the start</a></p>
<?php
page_end();
