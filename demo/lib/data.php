<?php
/**
 * Where the demo keeps what visitors leave: demo/data, or a directory of its own among the temporary files.
 */

declare(strict_types=1);

namespace Demo;

/** An existing, writable directory outside the document root. */
function data_directory(string $name): string
{
    $beside_us = dirname(__DIR__) . '/data';
    $path = "$beside_us/$name";
    if (made($path)) {
        return $path;
    }
    $temporary = sys_get_temp_dir() . '/ephpm-demo-' . posix_geteuid();
    $path = "$temporary/$name";
    if (made($temporary) && is_ours($temporary) && made($path)) {
        return $path;
    }
    throw new \RuntimeException("cannot write to $beside_us, nor to $temporary");
}

/** Makes a directory if need be; whether it can be written to. */
function made(string $path): bool
{
    // The second is_dir is for the request that lost a race to make it.
    return (is_dir($path) || @mkdir($path, 0700, true) || is_dir($path)) && is_writable($path);
}

/** Whether a directory in a place that all users share belongs to this one, and is no link to elsewhere. */
function is_ours(string $path): bool
{
    return !is_link($path) && fileowner($path) === posix_geteuid();
}
