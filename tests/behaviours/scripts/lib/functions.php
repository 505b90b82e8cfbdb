<?php
function function_of_the_library()
{
    return 'library';
}
