<?php
ob_start();
$n = $_GET['n'];
$content = file_get_contents($_FILES['file']['tmp_name']);
echo "upload $n ", $content === str_repeat("$n;", (int) $_POST['times']) ? 'same;' : 'different;';
match ($_GET['how']) {
    'end' => null,
    'exit' => exit(),
    'fatal' => undefined_function(),
    'moved' => move_uploaded_file($_FILES['file']['tmp_name'], __DIR__ . "/moved-$n") && unlink(__DIR__ . "/moved-$n"),
};
