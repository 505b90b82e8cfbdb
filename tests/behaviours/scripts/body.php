<?php
try {
    [$post, $files] = request_parse_body(isset($_GET['files']) ? ['max_file_uploads' => (int) $_GET['files']] : null);
    echo json_encode($post), ' ', count($files), ' ',
        implode(',', array_map(fn($file) => file_get_contents($file['tmp_name']), array_values($files))),
        ' ', count($_POST), count($_FILES), ' ', strlen(file_get_contents('php://input'));
} catch (RequestParseBodyException $exception) {
    echo $exception->getMessage();
}
