<?php
$paths = [];
array_walk_recursive($_FILES, function ($value, $key) use (&$paths) {
    is_string($value) && str_starts_with($value, ini_get('upload_tmp_dir')) && $paths[] = $value;
});
header('Content-Type: application/json');
ini_set('display_errors', '0');
http_response_code(200);
echo json_encode(['files' => $_FILES, 'post' => $_POST, 'paths' => $paths,
    'content' => array_map(file_get_contents(...), $paths), 'number' => $_GET['i']]), "\n";
match ($_GET['how'] ?? '') {
    'exit' => exit(1),
    'fatal' => [flush(), undefined_function()],
    'moved' => move_uploaded_file($paths[0], __DIR__ . "/moved-{$_GET['i']}"),
    'memory' => [flush(), str_repeat('x', 1 << 30)],
    'wait' => (function () use ($paths) {
        file_put_contents(__DIR__ . "/paths-{$_GET['i']}", implode("\n", $paths));
        while (true) {
            echo str_repeat('x', 10000);
            flush();
        }
    })(),
    default => null,
};
