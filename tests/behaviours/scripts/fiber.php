<?php
$fiber = new Fiber(function (string $i): string {
    echo "Fiber ";
    $more = Fiber::suspend($i);
    echo " $more";
    return 'returned';
});
echo $fiber->start($_GET['i']);
$fiber->resume('resumed');
echo ' ', $fiber->getReturn();
