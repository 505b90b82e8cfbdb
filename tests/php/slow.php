<?php

class Shop
{
    public static function wait(): void
    {
        usleep(4_000_000);
    }

    public function compute(): void
    {
        $until = hrtime(true) + 4_000_000_000;
        while (hrtime(true) < $until);
    }
}

$shop = new Shop();
match ($_GET['how']) {
    'wait' => Shop::wait(),
    'compute' => array_map(fn () => $shop->compute(), [1]),
    'quick' => null,
};
echo 'done';
