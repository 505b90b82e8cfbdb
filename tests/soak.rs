//! The whole server under all that happens to one, for as long as one likes: it answers every request with what is that
//! request's, and afterwards it is as it was before.
//!
//! A seed decides what the request of each number is; `SOAK_SEED=n` repeats one that a failure names, as far as the
//! threads of two programs allow. The usual run has the same seed each time, and ends after some thousand requests, and
//! after a minute in any case; `SOAK_SECONDS=600` (`make soak`) goes by the clock alone, with another seed each time.
#![cfg(feature = "php")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "soak/asks.rs"]
mod asks;
#[path = "soak/client.rs"]
mod client;
#[path = "soak/figures.rs"]
mod figures;
#[path = "http2/frames.rs"]
#[allow(dead_code, reason = "the tests of HTTP/2 use the rest")]
mod frames;
#[path = "http2/hpack.rs"]
mod hpack;
#[path = "soak/journal.rs"]
mod journal;
#[path = "soak/load.rs"]
mod load;
#[path = "soak/operator.rs"]
mod operator;
#[path = "soak/plan.rs"]
mod plan;
#[allow(dead_code, reason = "the simulation also takes bytes")]
#[path = "simulation/random.rs"]
mod random;
#[path = "soak/rude.rs"]
mod rude;
#[path = "soak/site.rs"]
mod site;
#[path = "soak/streams.rs"]
mod streams;
mod support;

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use figures::Figures;
use load::Load;
use operator::Operator;
use site::Site;
use support::{Server, wait_until};

/// Of the usual run.
const SEED: u64 = 1;
/// How many requests the usual run consists of.
const REQUESTS: u64 = 1_500;
/// For how long clients of the usual run ask even if it has not done them all. What they have left behind takes longer.
const USUAL: Duration = Duration::from_secs(28);

/// How much more memory of its own than after the first half the process may have at the end, whatever came between.
/// PHP keeps for each thread what its latest requests have taken, in pieces of 2 MiB, and up to a mebibyte of stack; the
/// C library keeps what is free between pieces that are not. Each thread counts with 4 MiB.
const GROWTH_KIB: u64 = 4 * 1024 * (site::WORKERS + site::POOLED) as u64;
/// How much more the supervisor may have.
const SUPERVISOR_GROWTH_KIB: u64 = 256;
/// How long a process serves before it crashes, as long as processes do.
const LIFE: Duration = Duration::from_secs(30);
/// How much more for each request in between: less than any object that one could forget.
const GROWTH_BYTES_PER_REQUEST: u64 = 100;

#[test]
fn the_server_is_afterwards_as_it_was_before() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let (seed, requests, time) = match number("SOAK_SECONDS") {
        Some(seconds) => (u64::from(now.subsec_micros()), u64::MAX, Duration::from_secs(seconds)),
        None => (SEED, REQUESTS, USUAL),
    };
    let seed = number("SOAK_SEED").unwrap_or(seed);
    println!("SOAK_SEED={seed}");

    let site = Site::new();
    let server = site.builder(0).start();
    wait_until(|| server.log().contains(" serves\n"), "it never serves");
    let operator = Operator::new(&server, &site);
    let load = Load::new(&server, &operator, seed);
    touch_every_thread(&server);
    let before = settled(operator.process());
    let supervisor = Figures::of(server.pid());
    println!("before:            {before}");
    println!("supervisor:        {supervisor}");

    let first = crash_now_and_then(&load, requests / 4, time / 4, &before, &site);
    let warm = load.run(requests / 2, Instant::now() + time / 4);
    no_failure(&load);
    let after_warming = quiet(operator.process(), &before);
    println!("{:6} requests:   {after_warming}", first + warm);
    let then = load.run(requests, Instant::now() + time / 2);
    no_failure(&load);
    let after = quiet(operator.process(), &before);
    println!("{:6} requests:   {after}", first + warm + then);
    as_before(&Figures::of(server.pid()), &supervisor);

    let told = load.told();
    told.counts.iter().for_each(|(kind, count)| println!("{count:8} {kind:?}"));
    finished_what_it_began(&site, &told.finished);
    assert_eq!(site.left(), Vec::<std::path::PathBuf>::new(), "files are left");
    let bound_kib = after_warming.anonymous_kib + GROWTH_KIB + then * GROWTH_BYTES_PER_REQUEST / 1024;
    assert!(after.anonymous_kib <= bound_kib, "memory grew: {after_warming}, then {after}");

    let response = server.client().get("/hello.php?n=last").expect(200);
    assert_eq!(response.text(), "hello last;");
    assert_eq!(response.header("X-Generation"), Some(&*operator.generation().to_string()));
    let answered = told.answered.clone();
    drop(told);
    let (status, log) = server.stop();
    assert!(status.success(), "{status}\n{log}");
    let unexpected = journal::unexpected(&log);
    assert!(unexpected.is_empty(), "{} lines: {:#?}", unexpected.len(), &unexpected[..unexpected.len().min(100)]);
    let missing = missing(&site, &answered);
    assert!(missing.is_empty(), "not in the access log: {missing:?}");
}

/// The first part of the load: now and then the process that serves crashes while it has nothing to do, and the one that
/// takes its place is as it was. Returns how many requests there were.
#[track_caller]
fn crash_now_and_then(load: &Load<'_>, requests: u64, time: Duration, before: &Figures, site: &Site) -> u64 {
    let lives = u32::try_from(time.as_secs() / LIFE.as_secs()).expect("a short time").max(1);
    let mut done = 0;
    for _ in 0..lives {
        done += load.run(requests, Instant::now() + time / lives);
        no_failure(load);
        quiet(load.operator().process(), before);
        finished_what_it_began(site, &load.told().finished);
        // Lines wait in the process for a moment.
        wait_until(|| missing(site, &load.told().answered).is_empty(), "answered, and not in the access log");
        load.operator().crash();
        touch_every_thread(load.server());
        quiet(load.operator().process(), before);
    }
    println!("{done:6} requests:   crashes: {lives}");
    done
}

/// The supervisor has what it had.
#[track_caller]
fn as_before(now: &Figures, before: &Figures) {
    println!("supervisor:        {now}");
    assert_eq!((&now.threads, &now.files), (&before.threads, &before.files));
    assert!(now.anonymous_kib <= before.anonymous_kib + SUPERVISOR_GROWTH_KIB, "before: {before}");
}

/// What was answered and is not in the access log.
fn missing(site: &Site, answered: &[u64]) -> Vec<u64> {
    let logged = journal::logged(site);
    answered.iter().filter(|n| !logged.contains(n)).copied().collect()
}

#[track_caller]
fn no_failure(load: &Load<'_>) {
    let failures = &load.told().failures;
    assert!(failures.is_empty(), "{failures:#?}");
}

/// What a thread opens once, it opens with its first request: several at a time, so that each gets some.
fn touch_every_thread(server: &Server) {
    thread::scope(|scope| {
        for n in 0..40 {
            let directory = if n % 4 == 0 { "/pooled" } else { "" };
            scope.spawn(move || server.client().get(&format!("{directory}/sleep.php?ms=300&n={n}")).expect(200));
        }
    });
}

/// The figures of a server whose clients have left, when nothing has been closed for a while.
fn settled(pid: u32) -> Figures {
    let mut figures = Figures::of(pid);
    let mut looks = 0;
    while looks < 50 {
        thread::sleep(Duration::from_millis(10));
        let now = Figures::of(pid);
        looks = if now.is_quiet_as(&figures) { looks + 1 } else { 0 };
        figures = now;
    }
    figures
}

/// The figures of a server that has nothing left to do. It gets the time that its slowest script may need.
#[track_caller]
fn quiet(pid: u32, before: &Figures) -> Figures {
    let mut now = Figures::of(pid);
    let deadline = Instant::now() + Duration::from_secs(120);
    while !now.is_quiet_as(before) {
        assert!(Instant::now() < deadline, "before: {before:#?}\nnow: {now:#?}");
        thread::sleep(Duration::from_millis(50));
        now = Figures::of(pid);
    }
    now
}

/// Scripts that went on after the end of their response have come to their own.
#[track_caller]
fn finished_what_it_began(site: &Site, begun: &[u64]) {
    let mut begun = begun.to_vec();
    begun.sort_unstable();
    let mut finished = Vec::new();
    wait_until(
        || {
            let text = fs::read_to_string(site.path("finished")).expect("a file");
            finished = text.lines().map(|line| line.parse::<u64>().expect("a number")).collect();
            finished.len() >= begun.len()
        },
        "a script never went on after its response",
    );
    finished.sort_unstable();
    assert_eq!(finished, begun);
}
