<?php

echo strlen(str_repeat('x', (int) $_GET['bytes']));
