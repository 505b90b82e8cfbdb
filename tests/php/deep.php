<?php

// Recursion that does not end, or only after a long while. PHP says what it thinks of it, and the process lives.
ini_set('memory_limit', -1);

class Deep
{
    public ?Deep $next = null;

    public function __get($name)
    {
        return (new Deep())->$name;
    }

    public function __toString(): string
    {
        return (string) new Deep();
    }
}

class Mourned extends Deep
{
    public static int $count = 0;

    public function __destruct()
    {
        self::$count++;
    }
}

function sort_deeper()
{
    $list = [2, 1];
    usort($list, fn () => sort_deeper());
}

function map_deeper($value)
{
    return array_map('map_deeper', [$value]);
}

function chain(string $class, int $length): ?Deep
{
    $first = null;
    for ($n = 0; $n < $length; $n++) {
        $object = new $class();
        $object->next = $first;
        $first = $object;
    }
    return $first;
}

function nested(int $depth): array
{
    $array = [];
    for ($n = 0; $n < $depth; $n++) {
        $array = [$array];
    }
    return $array;
}

function tell(callable $recursion): void
{
    try {
        $recursion();
        echo 'ended';
    } catch (Error $error) {
        echo preg_match('/^Maximum call stack size of \d+ bytes/', $error->getMessage(), $found) ? $found[0] : $error;
    }
}

$depth = (int) ($_GET['depth'] ?? 0);
match ($_GET['how']) {
    'function' => (function () {
        ini_set('memory_limit', '64M');
        function f() { f(); }
        f();
    })(),
    'usort' => tell(fn () => sort_deeper()),
    'array_map' => tell(fn () => map_deeper(1)),
    'get' => tell(fn () => (new Deep())->missing),
    'to_string' => tell(fn () => (string) new Deep()),
    'preg_compile' => var_export(@preg_match('/' . str_repeat('(', $depth) . str_repeat(')', $depth) . '/', '')),
    'preg_match' => var_export([preg_match('/^(a|b|c)*$/', str_repeat('abc', $depth)), preg_last_error() !== 0]),
    'json_encode' => var_export(json_encode(nested($depth), 0, PHP_INT_MAX >> 33) !== false),
    'json_decode' => var_export(json_decode(str_repeat('[', $depth) . str_repeat(']', $depth), true, 0x7fffffff) !== null),
    'serialize' => tell(fn () => strlen(serialize(nested($depth)))),
    'unserialize' => var_export(@unserialize(str_repeat('a:1:{i:0;', $depth) . 'i:0;' . str_repeat('}', $depth)) !== false),
    'array' => tell(fn () => nested($depth) === []),
    'compare' => tell(fn () => nested($depth) == nested($depth)),
    'var_export' => tell(fn () => strlen(var_export(nested($depth), true))),
    'print_r' => tell(fn () => strlen(print_r(nested($depth), true))),
    'objects' => tell(fn () => chain(Deep::class, $depth)),
    'destructors' => (function () use ($depth) {
        tell(fn () => chain(Mourned::class, $depth));
        echo ' ', Mourned::$count;
    })(),
    'parse' => tell(fn () => eval('return ' . str_repeat('(', $depth) . '1' . str_repeat(')', $depth) . ';')),
    'parse_unary' => tell(fn () => eval('return ' . str_repeat('!', $depth) . '1;')),
};
echo "\n";
