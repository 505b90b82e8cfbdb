//! OPcache among threads. It empties its memory while a hundred clients ask for pages, for every reason that it has;
//! without the gate (`src/php/gate.rs`) the server crashes then. It answers each thread as it would answer a process of
//! php-fpm, and when it cannot start nothing does.

#![cfg(feature = "php")]

mod support;

use std::fmt::Write as _;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ephpm::php::Info;
use support::{Builder, Client, Json, Server, TemporaryDirectory, answer, wait_for};

/// How many parts a page may choose from, each with a class of its own in a file of its own.
const PARTS: u32 = 40;
/// How many clients ask at once.
const CLIENTS: u32 = 100;
/// How often OPcache is to restart meanwhile.
const RESTARTS: f64 = 3.0;
/// Something that ought to have happened by then has not.
const LONG: Duration = Duration::from_secs(300);

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
                let _over =
                    OnDrop(|| over.store(thread::panicking() || over.load(Ordering::Relaxed), Ordering::Relaxed));
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
        (0..20)
            .for_each(|i| write!(text, "function f{n}_{i}() {{ return [{i}, 'f{n}']; }}").expect("a String has room"));
        site.write(&format!("more/small{n}.php"), text);
    }
    // Several at a time, as whoever asks for them takes turns with a hundred others.
    site.write(
        "more.php",
        "<?php $sum = 0; for ($n = $_GET['n']; $n < $_GET['n'] + 10; $n++) { $sum += include __DIR__ . \"/more/small$n.php\"; }
            echo $sum;",
    );
    let server = builder(&site)
        .ini("opcache.max_accelerated_files", "200")
        .ini("opcache.memory_consumption", "16")
        .ini("opcache.interned_strings_buffer", "4")
        .start();
    under_load(&server, "hash_restarts", |client, times| {
        let n = times * 10 % 300;
        assert_eq!(client.get(&format!("/more.php?n={n}")).text(), (10 * n + 45).to_string());
        if times % 5 == 4 {
            client.get("/invalidate.php");
        }
    });
    ended_well(server);
}

/// A script that goes on and on, and says so.
const ENDLESS: &str = "<?php
set_time_limit(0); register_shutdown_function(function () { echo 'shutdown'; });
if (isset($_GET['reset'])) { opcache_reset(); echo 'begun '; flush(); } else { touch(__DIR__ . '/begun'); }
for (;;) { usleep(1000); }";

#[test]
fn a_script_that_never_ends_stops_nobody_and_is_ended_in_time() {
    let site = site();
    site.write("endless.php", ENDLESS);
    let server = builder(&site).ini("opcache.force_restart_timeout", "4").ini("display_errors", "0").start();
    expect_page(&mut server.client(), 1);
    let endless = ["?", "?reset"].map(|query| {
        let mut connection = server.connect();
        let request = format!("GET /endless.php{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        connection.write(request).expect("a sent request");
        // Whatever begins after the reset is in nobody's way.
        wait_for(&site.path().join("begun"));
        connection
    });
    let mut client = server.client();
    // Nobody is held while it waits to be ended, but for one pause; that it is ended takes requests.
    let deadline = Instant::now() + LONG;
    let mut n = 0;
    while restarts(&server, "manual_restarts") == 0.0 {
        assert!(Instant::now() < deadline, "{}", server.log());
        expect_page(&mut client, n);
        n += 1;
    }
    // It is no fault of the script's: whoever has not seen anything of it may ask again.
    let [silent, begun] = endless.map(answer);
    assert!(begun.contains("begun ") && begun.contains("shutdown"), "{begun}");
    assert!(silent.starts_with("HTTP/1.1 503 ") && silent.ends_with("shutdown"), "{silent}");
    let log = ended_well(server);
    assert!(log.contains("OPcache waits to restart (opcache_reset()), scripts in the way: 2;"), "{log}");
    assert!(log.contains("ending it") && !log.contains("Maximum execution time"), "{log}");
    assert_eq!(log.matches("PHP Fatal error:  Ended for OPcache, which has waited to restart").count(), 2, "{log}");
    assert!(log.contains("OPcache restarted (opcache_reset()), number 1"), "{log}");
}

#[test]
fn a_reset_on_an_idle_server_happens_by_itself() {
    let site = site();
    let server = builder(&site).start();
    let mut client = server.client();
    expect_page(&mut client, 1);
    assert_eq!(client.get("/reset.php").text(), "reset");
    // When the thread has cleaned up after its answer; a request that is faster than that is not cached.
    let deadline = Instant::now() + LONG;
    while restarts(&server, "manual_restarts") == 0.0 {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    let status = status(&server);
    assert_eq!(status["opcache_statistics"]["manual_restarts"].as_number(), Some(1.0), "{status:?}");
    assert_eq!(status["opcache_enabled"], Json::Bool(true));
    assert_eq!(status["restart_pending"], Json::Bool(false));
    expect_page(&mut client, 1);
    ended_well(server);
}

#[test]
fn preloaded_classes_survive_resets() {
    let site = site();
    let preload = site.write(
        "preload.php",
        "<?php foreach (['Renders', 'Counts', 'Base', 'Suit', 'Middle0', 'Middle1'] as $name) {
            require_once __DIR__ . \"/lib/$name.php\"; }",
    );
    let preload = preload.to_str().expect("UTF-8");
    let server = builder(&site).ini("opcache.preload", preload).ini("opcache.preload_user", "root").start();
    under_load(&server, "manual_restarts", |client, _| {
        client.get("/reset.php");
    });
    assert_eq!(status(&server)["preload_statistics"]["classes"].items().len(), 6);
    ended_well(server);
}

/// The name of the thread, what OPcache says to it of a file, and what its figures have in common with others'.
const ASK: &str = r#"<?php
$file = __DIR__ . '/' . $_GET['file'];
if (isset($_GET['compile'])) { opcache_compile_file($file); }
usleep(20000);
$status = opcache_get_status();
$configuration = opcache_get_configuration();
$memory = $status['memory_usage'];
echo json_encode([
    'thread' => trim(file_get_contents('/proc/thread-self/comm')),
    'cached' => opcache_is_script_cached($file),
    'listed' => isset($status['scripts'][$file]),
    'enabled' => $status['opcache_enabled'],
    'total' => $memory['used_memory'] + $memory['free_memory'] + $memory['wasted_memory'],
    'memory_consumption' => $configuration['directives']['opcache.memory_consumption'],
    'max_accelerated_files' => $configuration['directives']['opcache.max_accelerated_files'],
    'max_wasted_percentage' => $configuration['directives']['opcache.max_wasted_percentage'],
    'file_update_protection' => $configuration['directives']['opcache.file_update_protection'],
]);
"#;

#[test]
fn each_thread_gets_the_same_answers() {
    let site = site();
    site.write("ask.php", ASK);
    let server = builder(&site).workers(4).start();
    let mut client = server.client();
    let first = Json::parse(&client.get("/ask.php?file=words.php").text());
    assert_eq!(first["cached"], Json::Bool(false));
    client.get("/ask.php?file=words.php&compile");
    let mut answers = Vec::new();
    let all = ["php-0", "php-1", "php-2", "php-3"];
    let all = &all[..if Info::of_libphp().zts { 4 } else { 1 }];
    // Several at a time, so that each thread gets some, until each has: one of them may be held up.
    let deadline = Instant::now() + LONG;
    while !all.iter().all(|name| answers.iter().any(|answer: &Json| answer["thread"].as_str() == Some(name))) {
        assert!(Instant::now() < deadline, "{answers:?}");
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..16).map(|_| scope.spawn(|| server.client().get("/ask.php?file=words.php").text())).collect();
            answers.extend(clients.into_iter().map(|client| Json::parse(&client.join().expect("an answer"))));
        });
    }
    assert!(answers.iter().all(|answer| answer["thread"].as_str().is_some_and(|name| all.contains(&name))));
    for answer in &answers {
        let number = |name: &str| answer[name].as_number().expect("a number");
        assert!(["cached", "listed", "enabled"].into_iter().all(|name| answer[name] == Json::Bool(true)), "{answer:?}");
        assert_eq!((number("total"), number("memory_consumption")), (268_435_456.0, 268_435_456.0));
        assert_eq!((number("max_accelerated_files"), number("max_wasted_percentage")), (32531.0, 0.01));
        assert_eq!(number("file_update_protection"), 0.0);
    }
    ended_well(server);
}

/// Rewrites a script so that its time differs from before.
fn rewrite(site: &TemporaryDirectory, text: &str, age: Duration) {
    let path =
        site.write("changing.php", format!("<?php echo '{text}', opcache_is_script_cached(__FILE__) ? '!' : '?';"));
    let file = File::options().append(true).open(path).expect("a file that was just written");
    file.set_modified(SystemTime::now() - age).expect("a time that the file system knows");
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn changed_scripts_are_noticed_as_configured() {
    let site = site();
    let ask = |server: &Server| {
        let answers: Vec<_> = (0..8).map(|_| server.client().get("/changing.php").text()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        answers[0].clone()
    };
    rewrite(&site, "one", 3 * HOUR);
    let validating = builder(&site).ini("opcache.validate_timestamps", "1").start();
    let blind = builder(&site).ini("opcache.validate_timestamps", "0").start();
    let later = builder(&site).ini("opcache.revalidate_freq", "3600").start();
    for server in [&validating, &blind, &later] {
        assert_eq!(ask(server), "one!");
    }
    rewrite(&site, "two", 2 * HOUR);
    assert_eq!([ask(&validating), ask(&blind), ask(&later)], ["two!", "one!", "one!"]);
    blind.client().get("/reset.php");
    assert_eq!(ask(&blind), "two!");
    for server in [validating, blind, later] {
        ended_well(server);
    }
}

#[test]
fn scripts_that_were_just_written_are_not_cached() {
    let site = site();
    rewrite(&site, "new", Duration::ZERO);
    let server = builder(&site).ini("opcache.file_update_protection", "3600").start();
    let mut client = server.client();
    assert_eq!([(); 4].map(|()| client.get("/changing.php").text()), ["new?"; 4]);
    rewrite(&site, "old", 2 * HOUR);
    assert_eq!([(); 2].map(|()| client.get("/changing.php").text()), ["old!"; 2]);
    ended_well(server);
}

#[test]
fn no_server_without_the_opcache_that_was_asked_for() {
    let site = site();
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[("opcache.memory_consumption", "4")], "opcache.memory_consumption is set below the required 8MB"),
        (&[("opcache.memory_consumption", "lots")], "opcache.memory_consumption is set below the required 8MB"),
        (&[("opcache.memory_consumption", "1000000000")], "Unable to allocate shared memory segment"),
        (
            &[("opcache.max_accelerated_files", "100")],
            "opcache.max_accelerated_files is set below the required minimum",
        ),
        (&[("opcache.max_wasted_percentage", "80")], "opcache.max_wasted_percentage must be set between 1 and 50"),
        (
            &[("opcache.file_cache_only", "1")],
            "opcache.file_cache_only is set without a proper setting of opcache.file_cache",
        ),
        (&[("opcache.protect_memory", "1")], "opcache.protect_memory=1 is for one thread"),
    ];
    // Without thread safety there is nothing wrong with the last.
    for (settings, error) in &cases[..if Info::of_libphp().zts { 7 } else { 6 }] {
        let with = |builder: Builder| settings.iter().fold(builder, |builder, (key, value)| builder.ini(key, value));
        // Its port may be open for a moment before PHP starts.
        let log = with(Server::builder(site.path())).try_start().map_or_else(|log| log, |server| server.wait().1);
        assert!(
            log.contains("OPcache does not start (opcache.enable=0 goes without it): ") && log.contains(error),
            "{log}"
        );
        let server = with(Server::builder(site.path())).ini("opcache.enable", "0").start();
        expect_page(&mut server.client(), 1);
        assert!(ended_well(server).contains("OPcache OFF"));
    }
}

#[test]
fn opcache_without_shared_memory_is_allowed() {
    let site = site();
    let files = TemporaryDirectory::new("opcache-files");
    let path = files.path().to_str().expect("UTF-8");
    let server = builder(&site).ini("opcache.file_cache", path).ini("opcache.file_cache_only", "1").start();
    let mut client = server.client();
    (0..PARTS).for_each(|n| expect_page(&mut client, n));
    assert_eq!(status(&server)["file_cache_only"], Json::Bool(true));
    ended_well(server);
}

/// The server's mappings that satisfy `predicate`, of access ("rw-p"), megabytes, and file, or what the kernel calls it.
fn mappings(server: &Server, predicate: impl Fn(&str, u64, &str) -> bool) -> Vec<String> {
    let text = server.client().get("/maps.php").text();
    let holds = |line: &&str| {
        let mut words = line.split_whitespace();
        let (range, access) = (words.next().expect("a range"), words.next().expect("access"));
        let (begin, end) = range.split_once('-').expect("a range of addresses");
        let address = |text| u64::from_str_radix(text, 16).expect("a number in hexadecimal");
        predicate(access, (address(end) - address(begin)) >> 20, words.nth(3).unwrap_or_default())
    };
    text.lines().filter(holds).map(str::to_owned).collect()
}

/// What the kernel gives huge pages to without being told to.
#[test]
fn its_memory_is_private_as_there_is_one_process() {
    let site = site();
    site.write("maps.php", "<?php readfile('/proc/self/maps');");
    let shared = |access: &str, megabytes: u64, _: &str| access == "rw-s" && megabytes >= 8;
    let server = builder(&site).start();
    assert_eq!(mappings(&server, shared), [""; 0]);
    ended_well(server);
    // Another process would compile preloaded scripts.
    let server = builder(&site).ini("opcache.preload_user", "nobody").start();
    assert_eq!(mappings(&server, shared).len(), 1);
    ended_well(server);
}

#[test]
fn code_may_be_moved_to_huge_pages() {
    let site = site();
    site.write("maps.php", "<?php readfile('/proc/self/maps');");
    let moved = |access: &str, megabytes: u64, file: &str| access == "r-xp" && megabytes >= 2 && !file.starts_with('/');
    for (setting, times) in [("0", 0), ("1", 1)] {
        let server = builder(&site).ini("opcache.huge_code_pages", setting).start();
        assert_eq!(mappings(&server, moved).len(), times);
        let mut client = server.client();
        (0..PARTS).for_each(|n| expect_page(&mut client, n));
        ended_well(server);
    }
}
