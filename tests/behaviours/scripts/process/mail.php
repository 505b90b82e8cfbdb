<?php
// sendmail_path is a command that writes to "mail-$EPHPM_BEHAVIOUR" where it is started.
putenv("EPHPM_BEHAVIOUR={$_GET['i']}");
$sent = mail('root@example.com', "About {$_GET['i']}", 'Text');
$file = "mail-{$_GET['i']}";
$mail = @file_get_contents($file);
@unlink($file);
echo json_encode([$sent, str_contains((string) $mail, "Subject: About {$_GET['i']}"), (int) $_GET['i']]);
