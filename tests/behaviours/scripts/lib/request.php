<?php
ksort($_REQUEST);
echo json_encode($_REQUEST), ' ';
