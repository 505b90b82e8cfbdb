<?php
abstract class Animal implements Stringable
{
    private static int $made = 0;

    public function __construct(protected readonly int $n)
    {
        self::$made++;
    }

    abstract protected function sound(): string;

    public function __toString(): string
    {
        return static::class . " {$this->n} {$this->sound()} " . self::$made;
    }
}
