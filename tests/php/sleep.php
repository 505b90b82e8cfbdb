<?php

usleep(100000);
