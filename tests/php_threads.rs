//! PHP threads whose requests take too long, are slow, leave memory behind or dig too deep: what becomes of each, and
//! what the scoreboard says. In a process of its own, as PHP is started once, and on one thread, as it may be stopped
//! only there.
#![cfg(feature = "php")]
#![allow(missing_docs, dead_code, clippy::unwrap_used, reason = "tests")]

#[path = "php/harness.rs"]
mod harness;

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ephpm::exchange::{Dispatch, Pull};
use ephpm::php::{NamedPool, Php, PhpOptions, Pool, PoolOptions, SlowRequest, SlowSink, Snapshot, ThreadState};
use harness::{Ask, Exchange, php_options, pool_options};

const AT_ONCE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn threads() {
    let options = PhpOptions {
        ini_entries: "zend.max_allowed_stack_size=32M\nmax_execution_time=0\nopcache.enable=1\n".to_owned(),
        threads: 8,
        ..php_options()
    };
    let php = Php::start(&options).unwrap();
    requests_end_when_their_time_is_over(&php);
    shutdown_functions_get_little_more(&php);
    threads_that_do_not_come_back_are_replaced(&php);
    lost_threads_are_counted_for_each_pool(&php);
    slow_requests_are_told_with_their_trace(&php);
    threads_start_anew_without_anybody_noticing(&php);
    what_a_thread_holds_is_known(&php);
    requests_begin_in_the_order_of_their_arrival(&php);
    deep_recursion_is_an_error(&php);
    the_memory_of_a_deep_stack_is_given_back(&php);
    php.stop().map_err(drop).unwrap();
}

/// A file of this process that is not there.
fn place(name: &str) -> PathBuf {
    let place = std::env::temp_dir().join(format!("ephpm-threads-{}-{name}", std::process::id()));
    let _ = fs::remove_file(&place);
    place
}

fn submit(pool: &Pool, script: &'static str, query: impl Into<String>) -> Exchange {
    Exchange::submit(&*pool.dispatch(), Ask::get(script, query))
}

fn hello(pool: &Pool, n: usize) {
    assert_eq!(submit(pool, "/hello.php", format!("n={n}")).answer().text(), format!("Hello {n}"));
}

/// Waits until the threads are as they should be; nothing tells when.
fn wait(pool: &Pool, what: &str, is_so: impl Fn(&Snapshot) -> bool) -> Snapshot {
    for _ in 0..6000 {
        let snapshot = pool.scoreboard().snapshot();
        if is_so(&snapshot) {
            return snapshot;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: {:#?}", pool.scoreboard().snapshot());
}

/// What has been sent until the time was over.
fn until_expired(exchange: &mut Exchange) -> String {
    let mut text = String::new();
    loop {
        match exchange.pull() {
            Pull::Head(response, _) => text += &format!("{} ", response.status.code()),
            Pull::Content(bytes) => text += &String::from_utf8_lossy(&bytes[..bytes.len().min(20)]),
            Pull::Expired => return text,
            other => panic!("{other:?} after {text:?}"),
        }
    }
}

fn requests_end_when_their_time_is_over(php: &Php) {
    let options = PoolOptions { request_timeout: Some(3 * SECOND), lost_after: LONG, ..pool_options(8) };
    let pool = Pool::start(php, &options).unwrap();
    // Accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (file, log) = (place("file"), place("log"));
    let hows = [
        "loop",
        "sleep",
        "usleep",
        "callback",
        "flock",
        "read",
        "select",
        "fifo",
        "http",
        "curl",
        "curl_multi",
        "mysql",
        "mysql_query",
        "proc",
        "session",
        "session",
        "destructor",
    ];
    let (mysql, query) = mysql();
    let exchanges = hows.map(|how| {
        let (file, log) = (format!("{}-{how}", file.display()), log.display());
        submit(&pool, "/time.php", format!("how={how}&port={port}&mysql={mysql}&file={file}&log={log}"))
    });
    for (how, mut exchange) in hows.into_iter().zip(exchanges) {
        assert_eq!(until_expired(&mut exchange), "", "{how}: no response had begun");
        exchange.wait_until_released();
    }
    assert!(query.join().unwrap().ends_with(b"\x03SELECT SLEEP(600)"));
    let mut flushed = submit(&pool, "/time.php", "how=loop&flush");
    assert_eq!(until_expired(&mut flushed), "200 begun");
    flushed.wait_until_released();
    // A client that reads nothing; whoever does not care for clients is interrupted as well.
    let mut ignoring = submit(&pool, "/time.php", "how=ignore&flush");
    ignoring.wait_until_released();
    assert!(until_expired(&mut ignoring).starts_with("200 begun"));

    let errors = fs::read_to_string(&log).unwrap();
    let ours = errors.matches("Maximum request time of 3 seconds exceeded (php.request_timeout) in ").count();
    assert_eq!(ours, hows.len(), "{errors}");
    // Who counts them may do so when they are back.
    let snapshot = wait(&pool, "all are back", |now| {
        now.totals.timeouts == hows.len() as u64 + 2 && now.threads.iter().all(|t| t.state == ThreadState::Waiting)
    });
    assert_eq!(snapshot.totals.lost, 0);
    (0..16).for_each(|n| hello(&pool, n));
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
    fs::remove_file(format!("{}-flock", file.display())).unwrap();
    let session = file.with_file_name(format!("sess_{}-session", file.file_name().unwrap().to_str().unwrap()));
    fs::remove_file(session).unwrap();
    // The script did not come to that.
    fs::remove_file(format!("{}-fifo", file.display())).unwrap();
    fs::remove_file(log).unwrap();
}

/// A database that lets everybody in, and never answers: its port, and the first query.
fn mysql() -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move || {
        let (mut client, _) = listener.accept().unwrap();
        // Protocol 10, a version, a number, half a challenge, abilities, character set, state, the other half, a method.
        let abilities = [&[0, 0x01, 0x82, 45, 2, 0, 0x08, 0, 21][..], &[0; 10]].concat();
        let greeting =
            [b"\x0a8.0.0\0\x01\0\0\0challeng", &abilities[..], b"e of twelve\x01\0mysql_native_password\0"].concat();
        let mut packet = vec![u8::try_from(greeting.len()).unwrap(), 0, 0, 0];
        packet.extend(greeting);
        client.write_all(&packet).unwrap();
        read_packet(&mut client);
        client.write_all(&[7, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]).unwrap();
        let query = read_packet(&mut client);
        // Until the script ends.
        let _ = client.read(&mut [0]);
        query
    };
    (port, thread::spawn(serve))
}

fn read_packet(client: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 4];
    client.read_exact(&mut head).unwrap();
    let mut packet = vec![0; usize::from(head[0])];
    client.read_exact(&mut packet).unwrap();
    packet
}

fn shutdown_functions_get_little_more(php: &Php) {
    let options = PoolOptions { request_timeout: Some(SECOND), lost_after: LONG, ..pool_options(2) };
    let pool = Pool::start(php, &options).unwrap();
    let exchanges = ["shutdown", "buffer"].map(|how| submit(&pool, "/time.php", format!("how={how}")));
    for mut exchange in exchanges {
        assert_eq!(until_expired(&mut exchange), "");
        exchange.wait_until_released();
    }
    hello(&pool, 1);
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
}

/// A child that the script waits for, and a way to let it go.
fn child(name: &str) -> PathBuf {
    let fifo = place(name);
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fifo
}

fn let_go(fifo: PathBuf) {
    drop(OpenOptions::new().write(true).open(&fifo).unwrap());
    fs::remove_file(fifo).unwrap();
}

fn threads_that_do_not_come_back_are_replaced(php: &Php) {
    let options = PoolOptions { request_timeout: Some(2 * SECOND), lost_after: SECOND / 10, ..pool_options(1) };
    let pool = Pool::start(php, &options).unwrap();
    hello(&pool, 1);
    let fifos = ["first", "second"].map(child);
    let submit_child = |fifo: &PathBuf| submit(&pool, "/time.php", format!("how=child&file={}", fifo.display()));

    let mut first = submit_child(&fifos[0]);
    assert_eq!(until_expired(&mut first), "");
    first.wait_until_released();
    let snapshot = wait(&pool, "one is lost", |now| now.lost.len() == 1);
    assert_eq!(snapshot.lost[0].state, ThreadState::Lost);
    hello(&pool, 2);

    // As many are lost as there may be: this one is not replaced.
    let mut second = submit_child(&fifos[1]);
    assert_eq!(until_expired(&mut second), "");
    wait(&pool, "another is given up", |now| now.totals.lost == 2);
    let waiting = submit(&pool, "/hello.php", "n=3");
    let [first_fifo, second_fifo] = fifos;
    let_go(first_fifo);
    wait(&pool, "a lost thread that comes back ends", |now| now.lost.is_empty());
    assert_eq!(pool.scoreboard().snapshot().threads[0].state, ThreadState::Running);
    let_go(second_fifo);
    assert_eq!(waiting.answer().text(), "Hello 3", "the other one goes on");
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
}

/// Slow requests that lose threads for good take none from the others.
fn lost_threads_are_counted_for_each_pool(php: &Php) {
    if !php.info().zts {
        return;
    }
    let named = vec![NamedPool { name: "slow".to_owned(), threads: 1, queue_max: 10 }];
    let options = PoolOptions { request_timeout: Some(2 * SECOND), lost_after: SECOND / 10, named, ..pool_options(1) };
    let pool = Pool::start(php, &options).unwrap();
    let fifos = ["a", "b", "c"].map(child);
    let ask =
        |fifo: &PathBuf, pool| Ask { pool, ..Ask::get("/time.php", format!("how=child&file={}", fifo.display())) };
    for (fifo, number, lost, given_up) in [(&fifos[0], 1, 1, 1), (&fifos[1], 1, 1, 2), (&fifos[2], 0, 2, 3)] {
        let mut exchange = Exchange::submit(&*pool.dispatch(), ask(fifo, number));
        assert_eq!(until_expired(&mut exchange), "");
        wait(&pool, "it is given up", |now| now.totals.lost == given_up && now.lost.len() == lost);
    }
    hello(&pool, 1);
    fifos.into_iter().for_each(let_go);
    let again = Exchange::submit(&*pool.dispatch(), Ask { pool: 1, ..Ask::get("/hello.php", "n=2") });
    assert_eq!(again.answer().text(), "Hello 2");
    wait(&pool, "all are back", |now| now.lost.is_empty());
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<SlowRequest>>);

impl SlowSink for Kept {
    fn tell(&self, request: &SlowRequest) {
        self.0.lock().unwrap().push(request.clone());
    }
}

fn slow_requests_are_told_with_their_trace(php: &Php) {
    let kept = Arc::new(Kept::default());
    let sink: Arc<dyn SlowSink> = Arc::<Kept>::clone(&kept);
    let options = PoolOptions { slow: Some((SECOND, sink)), ..pool_options(4) };
    let pool = Pool::start(php, &options).unwrap();
    let exchanges = ["wait", "compute", "quick"].map(|how| submit(&pool, "/slow.php", format!("how={how}")));
    for exchange in exchanges {
        assert_eq!(exchange.answer().text(), "done");
    }
    let mut told: Vec<_> =
        kept.0.lock().unwrap().iter().map(|request| (request.uri.clone(), request.clone())).collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    let uris: Vec<_> = told.iter().map(|(uri, _)| str::from_utf8(uri).unwrap()).collect();
    assert_eq!(uris, ["/slow.php?how=compute", "/slow.php?how=wait"]);
    for (_, request) in &told {
        assert_eq!((request.method, request.script.ends_with(b"/tests/php/slow.php")), ("GET", true));
    }
    let frames = |request: &SlowRequest| -> Vec<String> {
        let root = format!("{}/", harness::root().display());
        let frame = |line: &str| line.split_once("] ").unwrap().1.replace(&root, "");
        request.trace.lines().map(frame).collect()
    };
    assert_eq!(
        frames(&told[1].1),
        ["usleep() slow.php:7", "Shop::wait() slow.php:7", "{main} slow.php:19"],
        "read from outside"
    );
    let compute = frames(&told[0].1);
    let from = compute.iter().position(|frame| frame == "Shop::compute() slow.php:13").unwrap();
    let closure = if php.info().version.starts_with("8.4") { "{closure:" } else { "{closure}" };
    assert!(compute[from + 1].starts_with(closure), "{compute:?}");
    assert_eq!(compute[from + 2..], ["array_map() slow.php:20", "{main} slow.php:20"], "given by the thread");
    assert_eq!(pool.scoreboard().snapshot().totals.slow, 2);
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
}

fn threads_start_anew_without_anybody_noticing(php: &Php) {
    const REQUESTS: usize = 1000;
    let named = vec![NamedPool { name: "other".to_owned(), threads: 2, queue_max: REQUESTS }];
    let pool = Pool::start(php, &PoolOptions { max_requests: 5, named, ..pool_options(4) }).unwrap();
    let dispatch: Arc<dyn Dispatch> = pool.dispatch();
    let ask = |n| Ask { pool: n % 2, ..Ask::get("/hello.php", format!("n={n}")) };
    let exchanges: Vec<_> = (0..REQUESTS).map(|n| Exchange::submit(&*dispatch, ask(n))).collect();
    for (n, exchange) in exchanges.into_iter().enumerate() {
        let answer = exchange.answer();
        assert_eq!((answer.text(), answer.complete), (&*format!("Hello {n}"), true));
    }
    let snapshot = wait(&pool, "all are counted", |now| now.totals.requests == REQUESTS as u64);
    // One at a time, so that the others go on: under this load each serves more than it should.
    let recycled = snapshot.totals.recycled;
    assert!(!php.info().zts || (2..=REQUESTS as u64 / 5).contains(&recycled), "{recycled}");
    assert_eq!(snapshot.totals.unhealthy, 0);
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
}

fn what_a_thread_holds_is_known(php: &Php) {
    const MIB: usize = 1024 * 1024;
    let pool = Pool::start(php, &pool_options(1)).unwrap();
    let fresh = pool.scoreboard().snapshot();
    assert_eq!((fresh.threads.len(), fresh.threads[0].request.is_none()), (1, true));
    let queue = &fresh.pools[0].queue;
    assert_eq!((queue.len, queue.capacity, queue.oldest_wait), (0, 1000, None));
    assert!(submit(&pool, "/memory.php", format!("bytes={}", 8 * MIB)).answer().complete);
    let is_over = |now: &Snapshot| now.totals.requests == 1 && now.threads[0].state == ThreadState::Waiting;
    let snapshot = wait(&pool, "it is over", is_over);
    let (peak, held) = (snapshot.threads[0].memory_peak_bytes, snapshot.threads[0].memory_held_bytes);
    assert!((8 * MIB..24 * MIB).contains(&peak) && (MIB..8 * MIB).contains(&held), "{peak} {held}");
    let request = snapshot.threads[0].request.clone().unwrap();
    assert_eq!((request.method, request.uri), ("GET", format!("/memory.php?bytes={}", 8 * MIB).into_bytes()));

    let mut running = submit(&pool, "/endless.php", "how=loop");
    assert!(matches!(running.pull(), Pull::Head(..)), "the script runs");
    let waiting = submit(&pool, "/hello.php", "n=1");
    let snapshot = pool.scoreboard().snapshot();
    assert_eq!((snapshot.threads[0].state, snapshot.pools[0].queue.len), (ThreadState::Running, 1));
    assert!(snapshot.pools[0].queue.oldest_wait.is_some());
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
    drop(waiting);
}

fn requests_begin_in_the_order_of_their_arrival(php: &Php) {
    for threads in [1, 4] {
        let pool = Pool::start(php, &pool_options(threads)).unwrap();
        let file = place("order");
        let mut exchanges: Vec<_> =
            (0..400).map(|n| submit(&pool, "/order.php", format!("n={n}&file={}", file.display()))).collect();
        // Some leave, which changes nothing for the others.
        exchanges.iter_mut().skip(100).step_by(7).for_each(Exchange::leave);
        for exchange in &mut exchanges {
            exchange.wait_until_released();
        }
        let mut of_thread: HashMap<String, Vec<usize>> = HashMap::new();
        for line in fs::read_to_string(&file).unwrap().lines() {
            let (thread, n) = line.split_once(' ').unwrap();
            of_thread.entry(thread.to_owned()).or_default().push(n.parse().unwrap());
        }
        // A thread may be held up between taking a request and what the request does, so that the order of all threads
        // together says nothing; but what one takes is later than what it took before.
        assert!(of_thread.len() <= threads && of_thread.values().map(Vec::len).sum::<usize>() >= 300, "{of_thread:?}");
        assert!(of_thread.values().all(|begun| begun.is_sorted()), "{of_thread:?}");
        assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
        fs::remove_file(file).unwrap();
    }
}

fn deep_recursion_is_an_error(php: &Php) {
    let pool = Pool::start(php, &pool_options(4)).unwrap();
    // PHP 8.2 does not look at its stack.
    let looks = !php.info().version.starts_with("8.2");
    let error = "Maximum call stack size of";
    let depths = [
        ("function", 0, "Allowed memory size"),
        ("usort", 0, error),
        ("array_map", 0, error),
        ("get", 0, error),
        ("to_string", 0, error),
        ("preg_compile", 100_000, "false"),
        ("preg_match", 1_000_000, ""),
        ("json_encode", 100_000, ""),
        ("json_decode", 100_000, ""),
        ("serialize", 100_000, ""),
        ("unserialize", 100_000, "false"),
        ("array", 300_000, "ended"),
        ("compare", 100_000, ""),
        ("var_export", 3_000, "ended"),
        ("print_r", 3_000, "ended"),
        ("objects", 2_000_000, "ended"),
        ("destructors", 300_000, "ended 300000"),
        ("parse", 100_000, ""),
        ("parse_unary", 100_000, ""),
    ];
    for (how, depth, expected) in depths.into_iter().filter(|(_, depth, _)| looks || *depth > 0) {
        let answer = submit(&pool, "/deep.php", format!("how={how}&depth={depth}")).answer();
        if how == "function" {
            assert_eq!(answer.status, 500);
        } else {
            assert!(answer.text().starts_with(expected), "{how}: {}", answer.text());
        }
    }
    (0..8).for_each(|n| hello(&pool, n));
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
}

fn the_memory_of_a_deep_stack_is_given_back(php: &Php) {
    const KIB: u64 = 1024;
    let pool = Pool::start(php, &pool_options(1)).unwrap();
    // The first time takes also what is kept for whatever comes.
    for (n, depth) in [(1, 1_000), (2, 100_000)] {
        let before = memory_kib();
        let answer = submit(&pool, "/deep.php", format!("how=destructors&depth={depth}")).answer();
        assert!(answer.text().starts_with("ended"), "{}", answer.text());
        wait(&pool, "it is over", |now| now.totals.requests == n && now.threads[0].state == ThreadState::Waiting);
        let after = memory_kib();
        assert!(after < before + 12 * KIB, "{before} KiB, and then {after}");
    }
    assert_eq!(pool.stop(AT_ONCE, LONG), Ok(()));
}

/// What the process has in memory that is nobody else's.
fn memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
