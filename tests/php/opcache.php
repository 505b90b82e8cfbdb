<?php

echo opcache_get_status(false)['opcache_statistics']['hits'];
