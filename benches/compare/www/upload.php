<?php
// A file from a form: that it came whole, and who says so.
header('Content-Type: text/plain');
$file = $_FILES['report'];
printf("%s of %s: %d bytes, error %d\n", $file['name'], $_POST['author'], filesize($file['tmp_name']), $file['error']);
