<?php
// A form handler: validate, then answer.
$errors = [];
foreach (['name', 'mail', 'message'] as $field) {
    if (trim($_POST[$field] ?? '') === '') {
        $errors[] = "$field is empty";
    }
}
if (!filter_var($_POST['mail'] ?? '', FILTER_VALIDATE_EMAIL)) {
    $errors[] = 'mail is not an address';
}
header('Content-Type: text/plain');
echo $errors === []
    ? sprintf("Thank you, %s: %d characters about %s.\n", $_POST['name'], strlen($_POST['message']), implode(' and ', $_POST['topics']))
    : implode("\n", $errors);
