<?php
/**
 * The visitor's session, and the token that proves that a form came from this site.
 */

declare(strict_types=1);

namespace Demo;

/** Starts the session, once. Call it before any output: it sends a cookie. */
function session(): void
{
    if (session_status() !== PHP_SESSION_ACTIVE) {
        session_start([
            'name' => 'ephpm_demo',
            'use_strict_mode' => true,
            'cookie_httponly' => true,
            'cookie_samesite' => 'Lax',
            'cookie_secure' => ($_SERVER['HTTPS'] ?? 'off') !== 'off',
        ]);
    }
}

/** The token of this session: 32 random bytes. */
function csrf_token(): string
{
    session();
    return $_SESSION['csrf'] ??= bin2hex(random_bytes(32));
}

/** The hidden field for a form. */
function csrf_field(): string
{
    return '<input type="hidden" name="csrf" value="' . e(csrf_token()) . '">';
}

/** Whether the posted form carries the token of this session. */
function csrf_valid(): bool
{
    return hash_equals(csrf_token(), text($_POST, 'csrf'));
}
