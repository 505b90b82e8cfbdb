<?php
echo json_encode([$_SERVER['argv'], $_SERVER['argc']]);
