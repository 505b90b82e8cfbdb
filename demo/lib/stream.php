<?php
/**
 * Output that leaves while the script is still running.
 */

declare(strict_types=1);

namespace Demo;

/** Opens the way: no buffer of PHP's in between, nothing stored in between, time enough. */
function stream_begin(): void
{
    set_time_limit(120);
    header('Cache-Control: no-store');
    // nginx, where it stands in front, would gather the output.
    header('X-Accel-Buffering: no');
    while (ob_get_level() > 0) {
        ob_end_flush();
    }
}

/** Sends a piece now, then waits. PHP ends the script here when the visitor has gone. */
function stream_send(string $piece, int $pause_ms = 0): void
{
    echo $piece;
    flush();
    usleep($pause_ms * 1000);
}
