<?php

echo 'Hello ', $_GET['n'];
