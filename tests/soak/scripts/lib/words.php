<?php
return ['zero', 'one', 'two'];
