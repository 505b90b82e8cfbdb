<?php
echo json_encode([$_SESSION ?? null, session_id(), session_status() === PHP_SESSION_NONE, session_module_name(), $GLOBALS['leak'] ?? null]);
