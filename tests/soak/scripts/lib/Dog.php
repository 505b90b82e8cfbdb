<?php
final class Dog extends Animal
{
    protected function sound(): string
    {
        return 'woof';
    }
}
