<?php

touch($_GET['marker']);
