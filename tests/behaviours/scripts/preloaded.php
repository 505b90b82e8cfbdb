<?php
echo preloaded(), ' ', $_GET['i'];
