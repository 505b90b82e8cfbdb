<?php
declare(strict_types=1);

final class Post
{
    private const WORDS = ['time', 'river', '"quoted"', 'stone', 'light', 'R&D', 'harbour', '<b>', 'winter', 'paper', 'road', 'signal'];

    private function __construct(public readonly int $id, public readonly string $title, public readonly array $tags)
    {
    }

    /** @return list<self> */
    public static function all(int $count): array
    {
        $make = fn(int $id): self => new self($id, ucfirst(self::words($id, 4)), [self::WORDS[$id % 12], self::WORDS[$id * 5 % 12]]);
        return array_map($make, range(1, $count));
    }

    public function path(): string
    {
        return "/notes/$this->id/" . trim(preg_replace('/[^a-z]+/', '-', strtolower($this->title)), '-');
    }

    public function date(): string
    {
        return gmdate('j F Y', 1_700_000_000 + 86_400 * $this->id);
    }

    public function summary(): string
    {
        return ucfirst(self::words($this->id * 3, 36)) . '.';
    }

    private static function words(int $seed, int $count): string
    {
        $words = [];
        for ($i = 0; $i < $count; $i++) {
            $words[] = self::WORDS[($seed + $i * 7) % 12];
        }
        return implode(' ', $words);
    }
}
