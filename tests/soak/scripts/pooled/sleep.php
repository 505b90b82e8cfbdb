<?php
// Has threads of its own.
require __DIR__ . '/../sleep.php';
