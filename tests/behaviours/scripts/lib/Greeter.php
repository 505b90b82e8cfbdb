<?php
class Greeter
{
    private static int $made = 0;

    public function __construct(private string $name)
    {
        self::$made++;
    }

    public function greet(): string
    {
        return "Hello $this->name, " . self::$made;
    }
}
