<?php
for ($n = 0; $n < 100000; $n++) {
    echo $n % 10;
}
for ($n = 0; $n < 256; $n++) {
    echo chr($n);
}
echo $_GET['i'];
