<?php
abstract final class Broken {}
function broken() {}
function broken() {}
