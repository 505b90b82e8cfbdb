<?php
$name = 'EPHPM_BEHAVIOUR';
$seen = [getenv($name), getenv("{$name}_UNSET")];
$seen[] = putenv("$name={$_GET['i']}");
$seen[] = getenv($name) === $_GET['i'];
$seen[] = isset($_ENV[$name]) || isset($_SERVER[$name]);
$seen[] = isset(getenv()[$name]);
$seen[] = putenv("$name=") && getenv($name) === '';
$seen[] = putenv($name) && getenv($name) === false;
$seen[] = putenv("{$name}_NEVER_SET");
try {
    $seen[] = putenv('=x');
} catch (ValueError) {
    $seen[] = 'refused';
}
echo json_encode($seen);
