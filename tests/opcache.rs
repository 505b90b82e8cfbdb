//! OPcache among threads: it empties its memory while a hundred clients ask for pages, for every reason that it has.
//!
//! Without the gate (`src/php/gate.rs`) each of the first four tests ends in a crash of the server or in wrong pages.

#![cfg(feature = "php")]

mod support;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{Builder, Client, Json, Server, TemporaryDirectory};

/// How many parts a page may choose from, each with a class of its own in a file of its own.
const PARTS: u32 = 40;
/// How many clients ask at once.
const CLIENTS: u32 = 100;
/// How often OPcache is to restart meanwhile.
const RESTARTS: f64 = 3.0;
/// Something that ought to have happened by then has not.
const LONG: Duration = Duration::from_secs(60);

const PAGE: &str = r#"<?php
spl_autoload_register(function ($class) { require __DIR__ . "/lib/$class.php"; });
$n = (int) $_GET['n'];
$class = 'Part' . $n % PARTS;
$part = new $class($n);
$words = include __DIR__ . '/words.php';
if (!preg_match('/^number (?<n>\d+)$/', "number $n", $match) || $match['n'] != $n) { die('wrong match'); }
echo $part->render(), ' ', $words[$n % 3], ' ', Suit::of($n)->label();
"#;

/// A site whose pages consist of classes that inherit from classes in other files.
fn site() -> TemporaryDirectory {
    let site = TemporaryDirectory::new("opcache");
    site.write("page.php", PAGE.replace("PARTS", &PARTS.to_string()));
    site.write("words.php", "<?php return ['zero', 'one', 'two'];");
    site.write("lib/Renders.php", "<?php interface Renders { const MARK = 'R'; public function render(): string; }");
    site.write(
        "lib/Counts.php",
        "<?php trait Counts { private static int $count = 0;
            public function count(int $n): int { static $calls = 0; $calls++; self::$count += $n; return self::$count; } }",
    );
    site.write(
        "lib/Base.php",
        "<?php abstract class Base implements Renders { use Counts;
            public function __construct(protected readonly int $n) {}
            abstract protected function name(): string;
            public function render(): string {
                return implode(':', [$this->name(), ...$this->trail(), self::MARK, $this->count($this->n)]); }
            protected function trail(): array { return ['base']; } }",
    );
    site.write(
        "lib/Suit.php",
        "<?php enum Suit: int { case Even = 0; case Odd = 1;
            public static function of(int $n): self { return self::from($n % 2); }
            public function label(): string { return match ($this) { self::Even => 'even', self::Odd => 'odd' }; } }",
    );
    for n in 0..5 {
        site.write(
            &format!("lib/Middle{n}.php"),
            format!(
                "<?php class Middle{n} extends Base {{ protected function name(): string {{ return static::class; }}
                    protected function trail(): array {{ return ['middle{n}', ...parent::trail()]; }} }}"
            ),
        );
    }
    for n in 0..PARTS {
        site.write(
            &format!("lib/Part{n}.php"),
            format!(
                "<?php final class Part{n} extends Middle{} {{ const TEXT = ['part{n}', 'text of part {n}'];
                    protected function trail(): array {{ return [self::TEXT[0], ...parent::trail()]; }} }}",
                n % 5
            ),
        );
    }
    site.write("reset.php", "<?php echo opcache_reset() ? 'reset' : 'refused';");
    site.write(
        "invalidate.php",
        "<?php foreach (glob(__DIR__ . '/{lib,more}/*.php', GLOB_BRACE) as $file) { opcache_invalidate($file, true); }
            opcache_invalidate(__DIR__ . '/page.php', true); echo 'invalidated';",
    );
    site.write("status.php", "<?php echo json_encode(opcache_get_status(false));");
    site
}

fn page(n: u32) -> String {
    let word = ["zero", "one", "two"][n as usize % 3];
    let suit = ["even", "odd"][n as usize % 2];
    let part = n % PARTS;
    format!("Part{part}:part{part}:middle{}:base:R:{n} {word} {suit}", part % 5)
}

fn builder(site: &TemporaryDirectory) -> Builder {
    Server::builder(site.path())
        .workers(8)
        .ini("opcache.file_update_protection", "0")
        .ini("opcache.max_wasted_percentage", "1")
        .ini("opcache.revalidate_freq", "0")
}

#[track_caller]
fn expect_page(client: &mut Client, n: u32) {
    let response = client.get(&format!("/page.php?n={n}"));
    assert_eq!((response.status, response.text()), (200, page(n)), "page {n}");
}

/// A hundred clients ask for pages while `disturb` does its worst, again and again, with how often it did before, until
/// OPcache has restarted several times for this reason. Nobody gets a wrong answer.
#[track_caller]
fn under_load(server: &Server, reason: &str, disturb: impl Fn(&mut Client, u32)) {
    let mut client = server.client();
    (0..PARTS).for_each(|n| expect_page(&mut client, n));
    let over = AtomicBool::new(false);
    let deadline = Instant::now() + LONG;
    thread::scope(|scope| {
        // Also when something fails.
        let _over = OnDrop(|| over.store(true, Ordering::Relaxed));
        for number in 0..CLIENTS {
            let over = &over;
            scope.spawn(move || {
                let _over = OnDrop(|| over.store(thread::panicking() || over.load(Ordering::Relaxed), Ordering::Relaxed));
                let mut client = server.client();
                let mut n = number;
                while !over.load(Ordering::Relaxed) {
                    expect_page(&mut client, n);
                    n += CLIENTS;
                }
            });
        }
        let mut times = 0;
        while !over.load(Ordering::Relaxed) && (times % 10 != 0 || restarts(server, reason) < RESTARTS) {
            assert!(Instant::now() < deadline, "{reason}: {:?}", status(server));
            disturb(&mut client, times);
            times += 1;
        }
    });
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[track_caller]
fn status(server: &Server) -> Json {
    Json::parse(&server.client().get("/status.php").text())
}

/// How often OPcache was restarted for this reason.
#[track_caller]
fn restarts(server: &Server, reason: &str) -> f64 {
    status(server)["opcache_statistics"][reason].as_number().expect("a number")
}

#[track_caller]
fn ended_well(server: Server) -> String {
    let (status, log) = server.stop();
    assert!(status.success(), "{status}\n{log}");
    assert!(!log.contains("unknown state"), "{log}");
    log
}

#[test]
fn a_reset_in_a_loop() {
    let site = site();
    let server = builder(&site).start();
    under_load(&server, "manual_restarts", |client, _| {
        client.get("/reset.php");
    });
    ended_well(server);
}

#[test]
fn too_much_waste_after_invalidation() {
    let site = site();
    let server =
        builder(&site).ini("opcache.memory_consumption", "8").ini("opcache.interned_strings_buffer", "4").start();
    under_load(&server, "oom_restarts", |client, _| {
        client.get("/invalidate.php");
    });
    ended_well(server);
}

#[test]
fn more_scripts_than_memory() {
    let site = site();
    for n in 0..60 {
        let mut text = format!("<?php namespace More{n}; return [");
        (0..700).for_each(|i| write!(text, "'key {n} {i}' => ['value {n} {i}', {i}],").expect("a String has room"));
        site.write(&format!("more/large{n}.php"), text + "];");
    }
    site.write("more.php", "<?php echo count(include __DIR__ . \"/more/large{$_GET['n']}.php\");");
    let server =
        builder(&site).ini("opcache.memory_consumption", "8").ini("opcache.interned_strings_buffer", "4").start();
    under_load(&server, "oom_restarts", |client, times| {
        assert_eq!(client.get(&format!("/more.php?n={}", times % 60)).text(), "700");
        if times % 10 == 9 {
            client.get("/invalidate.php");
        }
    });
    ended_well(server);
}

#[test]
fn more_scripts_than_the_hash_has_room_for() {
    let site = site();
    for n in 0..300 {
        let mut text = format!("<?php return {n}; ");
        (0..20).for_each(|i| write!(text, "function f{n}_{i}() {{ return [{i}, 'f{n}']; }}").expect("a String has room"));
        site.write(&format!("more/small{n}.php"), text);
    }
    site.write("more.php", "<?php echo include __DIR__ . \"/more/small{$_GET['n']}.php\";");
    let server = builder(&site)
        .ini("opcache.max_accelerated_files", "200")
        .ini("opcache.memory_consumption", "16")
        .ini("opcache.interned_strings_buffer", "4")
        .start();
    under_load(&server, "hash_restarts", |client, times| {
        assert_eq!(client.get(&format!("/more.php?n={}", times % 300)).text(), (times % 300).to_string());
        if times % 50 == 49 {
            client.get("/invalidate.php");
        }
    });
    ended_well(server);
}
