<?php
final class Cat extends Animal
{
    protected function sound(): string
    {
        return 'meow';
    }
}
