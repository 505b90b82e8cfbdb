Text
<?php /* a comment */
echo   "of PHP\n"; # another
