<?php
/**
 * The guest book: one SQLite table, made when it is first needed.
 */

declare(strict_types=1);

namespace Demo;

require_once __DIR__ . '/data.php';

final class GuestBook
{
    public const NAME_LENGTH_MAX = 60;
    public const MESSAGE_LENGTH_MAX = 1000;
    public const ENTRIES_PER_PAGE = 10;

    private \PDO $database;

    public function __construct()
    {
        $this->database = new \PDO('sqlite:' . data_directory('guestbook') . '/guestbook.sqlite', options: [
            \PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION,
            \PDO::ATTR_DEFAULT_FETCH_MODE => \PDO::FETCH_ASSOC,
            // Seconds to wait for another request that is writing.
            \PDO::ATTR_TIMEOUT => 5,
        ]);
        $this->database->exec('CREATE TABLE IF NOT EXISTS entry (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            message TEXT NOT NULL,
            signed_at INTEGER NOT NULL -- seconds since 1970, UTC
        )');
    }

    public function sign(string $name, string $message): void
    {
        $insert = $this->database->prepare('INSERT INTO entry (name, message, signed_at) VALUES (?, ?, ?)');
        $insert->execute([$name, $message, time()]);
    }

    public function count(): int
    {
        return (int) $this->database->query('SELECT count(*) FROM entry')->fetchColumn();
    }

    /** The entries of a page, newest first; pages count from 1. */
    public function page(int $page): array
    {
        $select = $this->database->prepare('SELECT * FROM entry ORDER BY id DESC LIMIT ? OFFSET ?');
        $select->bindValue(1, self::ENTRIES_PER_PAGE, \PDO::PARAM_INT);
        $select->bindValue(2, ($page - 1) * self::ENTRIES_PER_PAGE, \PDO::PARAM_INT);
        $select->execute();
        return $select->fetchAll();
    }
}
