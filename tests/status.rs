//! What the internal listener tells of a server at work, PHP threads that start anew on request, and pools of threads
//! that slow scripts cannot leave.

#![cfg(feature = "php")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ephpm::php::Info;
use support::{
    Builder, Connection, Json, Server, TemporaryDirectory, WAITING, answer, ask_at, busy, kill, site, stop, wait_until,
};

/// A server with an internal listener.
struct Watched {
    server: Server,
    socket: PathBuf,
    _directory: TemporaryDirectory,
}

impl Watched {
    fn start(builder: Builder) -> Self {
        let directory = TemporaryDirectory::new("status");
        let socket = directory.path().join("internal.sock");
        let server = builder.sections(&format!("[internal]\nlisten = \"unix:{}\"\n", socket.display())).start();
        // A moment later than it serves.
        server.wait_for_log("answering monitors");
        Self { server, socket, _directory: directory }
    }

    fn ask(&self, method: &str, path: &str, fields: &str) -> String {
        ask_at(&self.socket, &format!("{method} {path} HTTP/1.0\r\n{fields}\r\n"))
    }

    #[track_caller]
    fn get(&self, path: &str) -> String {
        let answer = self.ask("GET", path, "");
        let (head, content) = answer.split_once("\r\n\r\n").expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        content.to_owned()
    }

    /// Of one process.
    #[track_caller]
    fn status(&self) -> Json {
        let mut all = self.all();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    /// Of all processes.
    #[track_caller]
    fn all(&self) -> Vec<Json> {
        Json::parse(&self.get("/status.json"))["processes"].items().to_vec()
    }

    /// Waits until the status is as it should be.
    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
        self.wait_all(what, |all| is_so(&all[0])).remove(0)
    }

    /// Waits until that of all processes is.
    #[track_caller]
    fn wait_all(&self, what: &str, is_so: impl Fn(&[Json]) -> bool) -> Vec<Json> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let all = self.all();
            // On a busy machine one may have said nothing yet.
            if all.iter().all(|process| process["pid"] != Json::Null) && is_so(&all) {
                return all;
            }
            assert!(Instant::now() < deadline, "{what}: {all:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Processes, once they have said so.
    #[track_caller]
    fn pids(&self, count: usize) -> Vec<u32> {
        let all = self.wait_all("a process never serves", |all| {
            all.len() == count && all.iter().all(|process| process["state"].as_str() == Some("ready"))
        });
        all.iter().map(pid).collect()
    }

    /// Sends a request that stays without an answer for the time being.
    #[track_caller]
    fn ask_for(&self, path: &str) -> Connection {
        let mut connection = self.server.connect();
        connection.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).expect("sent");
        connection
    }
}

fn number(value: &Json) -> f64 {
    value.as_number().unwrap_or_else(|| panic!("no number: {value:?}"))
}

fn pid(process: &Json) -> u32 {
    format!("{}", number(&process["pid"])).parse().expect("a process id")
}

/// A server of two processes with two PHP threads each.
fn two(root: &TemporaryDirectory) -> Watched {
    let builder = Server::builder(root.path()).workers(2).server("processes = 2");
    Watched::start(builder.ini("opcache.validate_timestamps", "0").ini("opcache.file_update_protection", "0"))
}

#[test]
fn the_status_tells_what_threads_are_at() {
    let root =
        site(&[("wait.php", WAITING), ("hello.php", "<?php echo 'hello';"), ("index.php", "<?php echo 'front';")]);
    let watched = Watched::start(Server::builder(root.path()).workers(2).ini("opcache.file_update_protection", "0"));
    for _ in 0..3 {
        assert_eq!(watched.server.client().get("/hello.php?%22<script>'&").expect(200).text(), "hello");
    }
    // A request is counted a moment after its answer, and OPcache is not waited for for long.
    let status = watched.wait("requests are not counted, or OPcache tells nothing", |status| {
        status["totals"]["requests"] == Json::Number(3.0) && status["opcache"] != Json::Null
    });
    assert_eq!((status["threads"].items().len(), status["lost"].items().len()), (2, 0));
    assert_eq!(number(&status["pid"]), f64::from(watched.server.pid()));
    let all = Json::parse(&watched.get("/status.json"));
    assert_eq!(all["php_version"].as_str(), Some(Info::of_libphp().version));
    let opcache = &status["opcache"];
    assert!(number(&opcache["cached_scripts"]) >= 1.0 && number(&opcache["memory_used_bytes"]) > 1e6, "{opcache:?}");
    assert!(number(&opcache["hits"]) >= 1.0 && number(&opcache["interned_strings"]) > 0.0, "{opcache:?}");

    let page = watched.get("/status");
    assert!(page.contains("GET /hello.php?%22&lt;script&gt;&#39;&amp;<br>") && !page.contains("<script"), "{page}");

    let running = busy(&watched.server);
    let status =
        watched.wait("no thread ever runs", |status| status["pools"].items()[0]["running"] == Json::Number(1.0));
    let thread = status["threads"].items().iter().find(|thread| thread["state"].as_str() == Some("running"));
    let thread = thread.expect("a running thread");
    assert_eq!((thread["method"].as_str(), thread["uri"].as_str()), (Some("GET"), Some("/wait.php")));
    assert_eq!(thread["script"].as_str(), root.path().join("wait.php").to_str());
    assert_eq!(thread["pool"].as_str(), Some("default"));
    assert!(number(&status["connections"].items()[0]) >= 1.0, "{status:?}");
    assert!(watched.get("/metrics").contains("\nephpm_threads_running{process=\"0\",pool=\"default\"} 1\n"));

    // The public has none of it.
    for path in ["/status", "/status.json", "/metrics", "/restart-php"] {
        assert_eq!(watched.server.client().get(path).expect(200).text(), "front");
    }
    fs::write(root.path().join("go"), "").expect("a written file");
    assert!(answer(running).contains("done"));
}

#[test]
fn the_status_is_told_without_opcache_and_where_its_functions_are_restricted() {
    let root = site(&[("hello.php", "<?php echo 'hello';")]);
    let without = Watched::start(Server::builder(root.path()).ini("opcache.enable", "0"));
    assert_eq!(without.status()["opcache"], Json::Null);
    let disabled = Watched::start(Server::builder(root.path()).ini("disable_functions", "opcache_get_status"));
    assert_eq!(disabled.status()["opcache"], Json::Null);
    let restricted = Watched::start(Server::builder(root.path()).ini("opcache.restrict_api", "/nowhere"));
    let status = restricted.wait("OPcache tells nothing", |status| status["opcache"] != Json::Null);
    assert!(number(&status["opcache"]["memory_free_bytes"]) > 0.0);
}

#[test]
fn a_deployment_is_seen_after_a_restart_of_php_that_nobody_notices() {
    const THREADS: u32 = 4;
    let root = site(&[("version.php", "<?php echo 'old';")]);
    let builder = Server::builder(root.path())
        .workers(THREADS)
        .ini("opcache.validate_timestamps", "0")
        .ini("opcache.file_update_protection", "0");
    let watched = Watched::start(builder);
    let version = || watched.server.client().get("/version.php").expect(200).text();
    assert_eq!((version(), version()), ("old".to_owned(), "old".to_owned()));
    root.write("version.php", "<?php echo 'new';");
    assert_eq!(version(), "old", "it is cached");
    assert!(watched.ask("GET", "/restart-php", "").starts_with("HTTP/1.1 405 "));
    assert!(
        watched.ask("POST", "/restart-php", "Origin: http://a\r\nContent-Length: 0\r\n").starts_with("HTTP/1.1 403 ")
    );
    assert_eq!(number(&watched.status()["totals"]["recycled"]), 0.0);

    let over = AtomicBool::new(false);
    let mut recycled = 0.0;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut client = watched.server.client();
                while !over.load(Ordering::Relaxed) {
                    let text = client.get("/version.php").expect(200).text();
                    assert!(text == "old" || text == "new", "{text}");
                }
            });
        }
        // Under load, and then with idle threads.
        for _ in 0..3 {
            let accepted = watched.ask("POST", "/restart-php", "Content-Length: 0\r\n");
            assert!(accepted.starts_with("HTTP/1.1 202 "), "{accepted}");
            let status = watched.wait("threads never start anew", |status| {
                status["restarting"] == Json::Number(0.0)
                    && number(&status["totals"]["opcache_restarts"]) >= 1.0
                    && number(&status["totals"]["recycled"]) >= recycled + threads(THREADS)
            });
            recycled = number(&status["totals"]["recycled"]);
            over.store(true, Ordering::Relaxed);
        }
    });
    assert_eq!(version(), "new");
    assert_eq!(recycled, 3.0 * threads(THREADS));
    // One that was wanted while another waited is the same.
    let status = watched.wait("OPcache never says so", |status| {
        status["opcache"]["restarts_reset"].as_number().is_some_and(|restarts| restarts >= 1.0)
    });
    assert_eq!(number(&status["totals"]["unhealthy"]), 0.0);
}

/// As tools for deployment do it: the document root is a link, which is put in the place of another.
#[test]
fn a_release_is_switched_by_its_link() {
    let releases = site(&[]);
    for name in ["one", "two"] {
        releases.write(&format!("{name}/page.php"), "<?php echo require 'part.php', basename(__DIR__);");
        releases.write(&format!("{name}/part.php"), format!("<?php return 'part of {name}, ';"));
    }
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, releases.path().join(name)).expect("a link");
    link("one", "current");
    let builder = Server::builder(releases.path().join("current")).ini("opcache.file_update_protection", "0");
    let watched = Watched::start(builder);
    let page = || watched.server.client().get("/page.php").expect(200).text();
    assert_eq!((page(), page()), ("part of one, one".to_owned(), "part of one, one".to_owned()));
    link("two", "next");
    fs::rename(releases.path().join("next"), releases.path().join("current")).expect("a link in another's place");
    assert!(watched.ask("POST", "/restart-php", "Content-Length: 0\r\n").starts_with("HTTP/1.1 202 "));
    watched.wait("threads never start anew", |status| {
        status["restarting"] == Json::Number(0.0) && number(&status["totals"]["opcache_restarts"]) >= 1.0
    });
    assert_eq!(page(), "part of two, two");
}

/// So many start anew, unless there is but one, which has nothing to leave.
fn threads(count: u32) -> f64 {
    if Info::of_libphp().zts { f64::from(count) } else { 0.0 }
}

#[test]
fn slow_paths_keep_to_their_pool() {
    if !Info::of_libphp().zts {
        return;
    }
    let slow = "<?php file_put_contents(__DIR__ . '/begun', $_GET['n'], FILE_APPEND); \
                while (!file_exists(__DIR__ . '/go')) { usleep(5000); clearstatcache(); } echo $_GET['n'];";
    let root = site(&[("reports/slow.php", slow), ("hello.php", "<?php echo 'hello';")]);
    let builder = Server::builder(root.path()).workers(1).server("pools = [[\"reports\", \"/reports/\", 1, 3]]");
    let watched = Watched::start(builder);
    let queue_length = |status: &Json| number(&status["pools"].items()[1]["queue_length"]);
    let mut waiting = vec![watched.ask_for("/reports/slow.php?n=0")];
    watched.wait("never running", |status| status["pools"].items()[1]["running"] == Json::Number(1.0));
    // The path counts, however it is written, and whatever stands behind the script.
    for (n, path) in [(1, "/%72eports/slow.php"), (2, "/x/..//reports/slow.php"), (3, "/reports/slow.php/y")] {
        waiting.push(watched.ask_for(&format!("{path}?n={n}")));
        watched.wait("never queued", |status| queue_length(status) == f64::from(n));
    }
    watched.server.client().get("/reports/slow.php?n=4").expect(503);
    // As a front controller would be asked.
    watched.server.client().get("/hello.php/reports/x").expect(503);
    for _ in 0..20 {
        assert_eq!(watched.server.client().get("/hello.php").expect(200).text(), "hello");
    }
    let status = watched.status();
    assert_eq!(status["threads"].items()[1]["pool"].as_str(), Some("reports"));
    assert_eq!(status["pools"].items()[0]["queue_length"], Json::Number(0.0));
    assert!(number(&status["pools"].items()[1]["oldest_wait_ms"]) >= 0.0, "{status:?}");
    fs::write(root.path().join("reports/go"), "").expect("a written file");
    for (n, connection) in waiting.into_iter().enumerate() {
        assert!(answer(connection).ends_with(&n.to_string()), "request {n}");
    }
    assert_eq!(
        fs::read_to_string(root.path().join("reports/begun")).expect("a file"),
        "0123",
        "first come, first served"
    );

    // All pools start anew, and OPcache with all of them.
    assert!(watched.ask("POST", "/restart-php", "Content-Length: 0\r\n").contains(": 2\n"));
    watched.wait("threads never start anew", |status| {
        let totals = &status["totals"];
        number(&totals["recycled"]) == 2.0
            && number(&totals["opcache_restarts"]) == 1.0
            && status["restarting"] == Json::Number(0.0)
    });
    watched.server.client().get("/reports/slow.php?n=5").expect(200);
}

/// A request that PHP is at work for in this process, while the others take none.
#[track_caller]
fn busy_in(watched: &Watched, pids: &[u32], number: usize) -> Connection {
    let others = || pids.iter().enumerate().filter(|(other, _)| *other != number);
    others().for_each(|(_, pid)| stop(*pid));
    let connection = busy(&watched.server);
    others().for_each(|(_, pid)| kill("CONT", *pid));
    connection
}

/// Nobody can choose which process answers, and none is to matter: it is asked often enough to be each.
#[test]
fn any_process_tells_of_all() {
    let root = site(&[("wait.php", WAITING), ("hello.php", "<?php echo 'hello';")]);
    let watched = two(&root);
    let pids = watched.pids(2);
    let running = [busy_in(&watched, &pids, 0), busy_in(&watched, &pids, 1)];
    for _ in 0..20 {
        let all = watched.wait_all("a process never runs anything", |all| {
            all.iter().all(|process| process["pools"].items()[0]["running"] == Json::Number(1.0))
        });
        assert_eq!(all.iter().map(pid).collect::<Vec<_>>(), pids);
        for process in &all {
            let uris = process["threads"].items().iter().filter_map(|thread| thread["uri"].as_str());
            assert_eq!(uris.collect::<Vec<_>>(), ["/wait.php"]);
        }
    }
    let metrics = watched.get("/metrics");
    for number in 0..2 {
        let line = format!("\nephpm_threads_running{{process=\"{number}\",pool=\"default\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert_eq!(watched.get("/status").matches("GET /wait.php<br>").count(), 2);
    fs::write(root.path().join("go"), "").expect("a written file");
    for connection in running {
        assert!(answer(connection).contains("done"));
    }
}

/// Who does not answer is waited for once in a while, for a moment, and what it said last is told with its age.
#[test]
fn a_process_that_hangs_is_told_as_it_was() {
    let root = site(&[("hello.php", "<?php echo 'hello';")]);
    let watched = two(&root);
    let pids = watched.pids(2);
    stop(pids[1]);
    wait_until(|| watched.get("/status").contains("<p>It does not answer. This is as of "), "nobody notices");
    let all = watched.all();
    assert!(number(&all[0]["age_ms"]) < number(&all[1]["age_ms"]), "{all:?}");
    assert_eq!(pid(&all[1]), pids[1]);
    // It restarts PHP when it can.
    assert!(watched.ask("POST", "/restart-php", "Content-Length: 0\r\n").starts_with("HTTP/1.1 202 "));
    kill("CONT", pids[1]);
    watched.wait_all("OPcache is not emptied", |all| {
        all.iter().all(|process| number(&process["totals"]["opcache_restarts"]) == 1.0)
    });
    wait_until(|| !watched.get("/status").contains("It does not answer"), "it does not answer any more");
}

#[test]
fn all_processes_restart_php_whichever_is_asked() {
    let root = site(&[("version.php", "<?php echo 'old';")]);
    let watched = two(&root);
    let pids = watched.pids(2);
    let versions = || {
        (0..2).map(|number| {
            let other = pids[1 - number];
            stop(other);
            let version = watched.server.client().get("/version.php").expect(200).text();
            kill("CONT", other);
            version
        })
    };
    assert_eq!(versions().collect::<Vec<_>>(), ["old", "old"]);
    for (round, version) in ["first", "second", "third"].into_iter().enumerate() {
        root.write("version.php", format!("<?php echo '{version}';"));
        let accepted = watched.ask("POST", "/restart-php", "Content-Length: 0\r\n");
        assert!(accepted.ends_with(&format!(": {}\n", 2.0 * threads(2))), "{accepted}");
        let restarts = (round + 1) as f64;
        watched.wait_all("a process never starts anew", |all| {
            all.iter().all(|process| {
                number(&process["totals"]["recycled"]) == restarts * threads(2)
                    && number(&process["totals"]["opcache_restarts"]) == restarts
                    && process["restarting"] == Json::Number(0.0)
            })
        });
        assert_eq!(versions().collect::<Vec<_>>(), [version; 2]);
    }
}

#[test]
fn the_status_tells_of_crashes_and_forgets_who_has_crashed() {
    let root = site(&[("hello.php", "<?php echo 'hello';")]);
    let watched = two(&root);
    let pids = watched.pids(2);
    assert!(watched.get("/metrics").contains("\nephpm_process_starts_total{process=\"1\"} 1\n"));
    kill("KILL", pids[1]);
    let all = watched.wait_all("no replacement", |all| {
        number(&all[1]["starts"]) == 2.0 && all[1]["state"].as_str() == Some("ready")
    });
    assert_eq!((number(&all[0]["starts"]), pid(&all[0])), (1.0, pids[0]));
    assert_ne!(pid(&all[1]), pids[1]);
    assert!(watched.get("/metrics").contains("\nephpm_process_starts_total{process=\"1\"} 2\n"));
}

/// One process that is exchanged is no reason to send visitors elsewhere, whoever answers.
#[test]
fn a_server_is_ready_while_one_of_its_processes_is() {
    let root = site(&[("wait.php", WAITING), ("hello.php", "<?php echo 'hello';")]);
    let watched = two(&root);
    let pids = watched.pids(2);
    let running = [busy_in(&watched, &pids, 0), busy_in(&watched, &pids, 1)];
    kill("TERM", pids[1]);
    watched.wait_all("it does not drain", |all| all[1]["state"].as_str() == Some("stopping"));
    for _ in 0..20 {
        assert_eq!(watched.get("/ready"), "ready\n");
    }
    watched.server.signal("TERM");
    wait_until(|| watched.ask("GET", "/ready", "").ends_with("stopping\n"), "never stopping");
    assert!(watched.ask("GET", "/ready", "").starts_with("HTTP/1.1 503 "));
    fs::write(root.path().join("go"), "").expect("a written file");
    for connection in running {
        assert!(answer(connection).contains("done"));
    }
}
