<?php

return [
    'driver' => 'file',
    'lifetime' => 120,
    'files' => storage_path('framework/sessions'),
    'expire_on_close' => false,
    'lottery' => [2, 100],
    'cookie' => 'kitchen_session',
    'path' => '/',
    'domain' => null,
    'secure' => null,
    'http_only' => true,
    'same_site' => 'lax',
];
