//! Peers that mean harm, against the whole program: an attack costs no memory that stays, no descriptors, less CPU time
//! by the frame than an honest request, and others are served while it goes on.

use std::fs;
use std::path::Path;

use super::*;
use crate::support::wait_until;

/// What is sent the nth time.
type Flood<'a> = &'a dyn Fn(u32) -> Vec<u8>;

/// Resident memory, in KiB.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// CPU time of all threads, in nanoseconds.
fn cpu_time(server: &Server) -> u64 {
    let time = |path: &Path| {
        let text = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|time| time.parse::<u64>().ok()).unwrap_or(0)
    };
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    tasks.map(|task| time(&task.unwrap().path())).sum()
}

fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

/// An honest request of somebody else.
#[track_caller]
fn ask(server: &Server) {
    let answer = server.client().get("/");
    assert_eq!((answer.status, answer.text()), (200, "HTTP/1.1 0".to_owned()));
}

fn frames_in(mut bytes: &[u8]) -> u64 {
    let mut frames = 0;
    while !bytes.is_empty() {
        let len = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        bytes = &bytes[9 + len..];
        frames += 1;
    }
    frames
}

/// A head of a kilobyte on the wire that means four megabytes: a field in the dynamic table, and references to it.
fn bomb(stream: u32) -> Vec<u8> {
    let mut block = hpack::encode(&[(":method", "GET"), (":scheme", "http"), (":path", "/a.txt"), (":authority", "a")]);
    block.extend([0x40, 1, b'x']);
    hpack::integer(4000, 7, 0, &mut block);
    block.extend([b'y'; 4000]);
    block.extend([0x80 | 62; 1000]);
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

#[test]
fn floods_cost_neither_memory_nor_others() {
    let site = site();
    let server = Server::builder(site.path()).workers(2).start();
    let request = |n: u32| get(1 + 2 * n, "/large.php");
    let post = |n: u32| head(1, 0, "POST", "/", &[("content-length", &n.to_string())]);
    let floods: [(&str, Flood<'_>); 10] = [
        ("PING", &|_| frame(PING, 0, 0, &[0; 8]).repeat(100)),
        ("SETTINGS", &|_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9]).repeat(100)),
        ("WINDOW_UPDATE", &|_| window_update(0, 1).repeat(100)),
        ("unknown frames", &|_| frame(77, 0, 0, &[0; 16_000])),
        ("empty DATA", &|n| if n == 0 { post(1) } else { data(1, 0, b"").repeat(10) }),
        ("CONTINUATION", &|n| frame(if n == 0 { HEADERS } else { CONTINUATION }, 0, 1, &hpack::encode(&[("a", "b")]))),
        ("RST_STREAM", &|n| [request(n), reset(1 + 2 * n)].concat()),
        ("RST_STREAM at once", &|n| {
            (50 * n..50 * n + 50).flat_map(|n| [request(n), reset(1 + 2 * n)].concat()).collect()
        }),
        ("errors", &|n| [request(n), window_update(1 + 2 * n, u32::MAX >> 1)].concat()),
        ("header bombs", &|n| bomb(1 + 2 * n)),
    ];
    // What a first time costs is not counted.
    (0..20).for_each(|_| ask(&server));
    let before = cpu_time(&server);
    (0..100).for_each(|_| ask(&server));
    let honest = (cpu_time(&server) - before) / 100;
    let (memory, open) = (resident(&server), descriptors(&server));
    for (name, frames) in floods {
        let before = cpu_time(&server);
        let (mut sent, mut asked) = (0, 0);
        let mut client = Client::connect(&server, &[]);
        for n in 0..20_000 {
            let bytes = frames(n);
            if !client.send(&bytes) {
                break;
            }
            sent += frames_in(&bytes);
            // Others are served while it goes on.
            if n < 10 || n % 500 == 0 {
                asked += 1;
                ask(&server);
            }
        }
        client.read_until(|received| !received.goaways.is_empty());
        let code = client.received.goaways.last().map(|(_, code)| *code);
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{name} after {sent}");
        let spent = cpu_time(&server) - before;
        // A connection costs, too.
        assert!(spent < (sent + asked + 20) * honest, "{name}: {spent} ns for {sent} frames, {honest} for a request");
        let grown = resident(&server).saturating_sub(memory);
        assert!(grown < 32 * 1024, "{name}: {grown} KiB");
        ask(&server);
    }
    wait_until(|| descriptors(&server) <= open, "connections were left open");
}

#[test]
fn what_is_not_taken_is_bounded_and_others_are_served() {
    let site = site();
    fs::write(site.path().join("page.php"), "<?php echo str_repeat('0123456789abcdef', 65536);").unwrap();
    let builder = Server::builder(site.path()).workers(2).server("processes = 0");
    let server = builder.sections("[http2]\nstalled_bytes_max = \"4M\"\n").start();
    ask(&server);
    let (memory, open) = (resident(&server), descriptors(&server));
    // Those who ask for much and take nothing, each as much as it can.
    let mut silent: Vec<Client> = (0..3)
        .map(|n| {
            let mut client = Client::connect(&server, &[(4, 0)]);
            let path = if n == 0 { "/large.bin" } else { "/page.php" };
            client.send(&(0..40).flat_map(|n| get(1 + 2 * n, path)).collect::<Vec<_>>());
            ask(&server);
            client
        })
        .collect();
    // The threads are free though nobody takes their pages: they serve another who does.
    let mut honest = Client::connect(&server, &[(4, 1 << 24)]);
    honest.send(&[window_update(0, 1 << 24), get(1, "/page.php")].concat());
    assert_eq!(honest.answer(1).content.len(), 1 << 20);
    let grown = resident(&server).saturating_sub(memory);
    // Of 80 megabytes of pages and 120 of files.
    assert!(grown < 64 * 1024, "{grown} KiB");
    // That is too much still: who has taken nothing for a while is given up, long before the timeout.
    for client in &mut silent[1..] {
        // Of each, more than 64 KiB lie there, and a MiB may.
        client.read_until(|received| received.answers.values().filter(|answer| answer.reset.is_some()).count() >= 24);
        assert!(client.received.goaways.is_empty());
        client.send(&[get(101, "/a.txt"), window_update(101, 10)].concat());
        assert_eq!(client.answer(101).text(), "0123456789");
    }
    drop((silent, honest));
    wait_until(|| descriptors(&server) <= open, "connections or files were left open");
    ask(&server);
}

#[test]
fn requests_given_up_in_the_queue_of_a_pool_count_until_they_have_left_it() {
    let site = site();
    fs::create_dir(site.path().join("slow")).unwrap();
    fs::write(site.path().join("slow/index.php"), WAITING.replace("__DIR__", "dirname(__DIR__)")).unwrap();
    let builder = Server::builder(site.path()).workers(1);
    let server = builder.server("pools = [[\"slow\", \"/slow/\", 1, 500]]").start();
    let mut client = Client::connect(&server, &[]);
    client.send(&get(1, "/slow/"));
    wait_for(&site.path().join("running"));
    // Slowly enough that each is accepted before it is given up, and with others that end between, or it would be
    // ended for its resets.
    let mut given_up = 0;
    let refused = loop {
        let (slow, fast) = (4 * given_up + 5, 4 * given_up + 7);
        client.send(&[get(slow, "/slow/"), get(fast, "/a.txt")].concat());
        let answer = client.answer(fast);
        if answer.heads.is_empty() {
            break answer.reset;
        }
        client.send(&reset(slow));
        given_up += 1;
        assert!(given_up < 300, "nobody has counted them");
    };
    // One runs, one waits, and the others wait to be dropped.
    assert_eq!((refused, given_up), (Some(REFUSED_STREAM), 198));
    ask(&server);
    assert!(client.received.goaways.is_empty());
    // The one that runs hears of it, and then all of them have left.
    fs::write(site.path().join("go"), "").unwrap();
    assert_eq!(client.answer(1).text(), "done");
    client.send(&get(1003, "/slow/"));
    assert_eq!(client.answer(1003).text(), "done");
}
