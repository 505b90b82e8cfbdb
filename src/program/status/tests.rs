use super::*;
use crate::php::{QueueStatus, RequestStatus, ThreadStatus, Totals};

fn thread(number: usize, state: ThreadState, uri: Option<&[u8]>) -> ThreadStatus {
    let request = uri.map(|uri| RequestStatus { method: "GET", uri: uri.to_vec(), script: b"/srv/a\"b.php".to_vec() });
    ThreadStatus {
        number,
        state,
        state_age: Duration::from_millis(12),
        requests: 5,
        generation: 0,
        request,
        memory_peak_bytes: 4096,
        memory_held_bytes: 2048,
    }
}

/// Of two processes, the second of which is starting.
fn report(uri: &[u8]) -> Report {
    let first = Process {
        number: 0,
        starts: 1,
        stage: Some(Stage::Ready),
        figures: Some((figures(uri), Duration::from_millis(4))),
    };
    let second = Process { number: 1, starts: 3, stage: Some(Stage::Starting), figures: None };
    Report { php_version: "8.4.1", processes: vec![first, second] }
}

fn figures(uri: &[u8]) -> Figures {
    let queue = QueueStatus { len: 2, capacity: 9, oldest_wait: Some(Duration::from_millis(1500)) };
    let idle = QueueStatus { len: 0, capacity: 3, oldest_wait: None };
    let pools = vec![
        PoolStatus { name: "default".to_owned(), threads: 0..2, queue },
        PoolStatus { name: "reports".to_owned(), threads: 2..3, queue: idle },
    ];
    let threads = vec![
        thread(0, ThreadState::Running, Some(uri)),
        thread(1, ThreadState::Waiting, None),
        thread(2, ThreadState::Restarting, None),
    ];
    let totals = Totals { requests: 15, slow: 1, ..Totals::default() };
    let opcache = OpcacheStatus { hits: 7, scripts: 3, ..OpcacheStatus::default() };
    Figures {
        pid: 77,
        told_at: Duration::from_secs(784_111_867),
        started_at: Duration::from_secs(784_111_777),
        uptime: Duration::from_secs(90),
        connections: vec![3, 1],
        php: Snapshot { threads, lost: vec![thread(1, ThreadState::Lost, Some(uri))], pools, restarting: 1, totals },
        opcache: Some((opcache, Duration::from_millis(20))),
    }
}

#[test]
fn json_tells_all_and_stays_json() {
    let text = json::json(&report(b"/a?\"<\xff\n\\"));
    let version = env!("CARGO_PKG_VERSION");
    let thread = |number, pool, state, request: &str| {
        format!(
            r#"{{"number":{number},"pool":"{pool}","state":"{state}","state_ms":12,"requests":5,{request},"memory_peak_bytes":4096,"memory_held_bytes":2048}}"#
        )
    };
    let running = format!(r#""method":"GET","uri":"/a?\"<{}\u000a\\","script":"/srv/a\"b.php""#, '\u{fffd}');
    let none = r#""method":null,"uri":null,"script":null"#;
    let wanted = [
        format!(r#"{{"version":"{version}","php_version":"8.4.1","processes":[{{"number":0,"state":"ready","starts":1,"age_ms":4,"#),
        r#""pid":77,"start_time":784111777,"uptime_seconds":90,"#.to_owned(),
        r#""connections":[3, 1],"pools":[{"name":"default","threads":2,"running":1,"queue_length":2,"queue_capacity":9,"oldest_wait_ms":1500},"#.to_owned(),
        r#"{"name":"reports","threads":1,"running":0,"queue_length":0,"queue_capacity":3,"oldest_wait_ms":null}],"#.to_owned(),
        format!(r#""threads":[{},"#, thread(0, "default", "running", &running)),
        format!("{},", thread(1, "default", "waiting", none)),
        format!(r#"{}],"lost":[{}],"#, thread(2, "reports", "restarting", none), thread(1, "default", "lost", &running)),
        r#""restarting":1,"totals":{"requests":15,"timeouts":0,"slow":1,"lost":0,"recycled":0,"unhealthy":0,"opcache_restarts":0},"#.to_owned(),
        r#""opcache":{"age_ms":20,"memory_used_bytes":0,"#.to_owned(),
    ]
    .concat();
    assert!(text.starts_with(&wanted), "{text}\n{wanted}");
    assert!(text.contains(r#""cached_scripts":3,"#) && text.contains(r#""hits":7,"#), "{text}");
    let second = r#"{"number":1,"state":"starting","starts":3}]}"#;
    assert!(text.ends_with(&format!("\"restart_pending\":false,\"cache_full\":false}}}},{second}\n")), "{text}");
    let mut without = report(b"/");
    without.processes[0].figures.as_mut().unwrap().0.opcache = None;
    assert!(json::json(&without).ends_with(&format!(",\"opcache\":null}},{second}\n")));
}

#[test]
fn a_page_shows_what_visitors_send_as_text() {
    let text = page::page(&report(b"/<script>alert('1')</script>&\"\x1b\xff"));
    let wanted =
        "GET /&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\\u{1b}\u{fffd}<br>/srv/a&quot;b.php\n";
    assert_eq!(text.matches(wanted).count(), 2, "{text}");
    assert!(!text.contains("<script"), "{text}");
    assert!(text.contains("<p>Number 77 of the system, since Sun, 06 Nov 1994 08:49:37 GMT (90 s).</p>"), "{text}");
    assert!(text.contains("<td>reports<td>restarting"), "{text}");
    assert!(text.contains("<h2>Process 0: ready</h2>\n<p>Number"), "{text}");
    assert!(text.ends_with("<h2>Process 1: starting</h2>\n<p>Processes that were here before: 2.</p>\n"), "{text}");
    let mut silent = report(b"/");
    silent.processes[0].figures.as_mut().unwrap().1 = Duration::from_secs(70);
    assert!(page::page(&silent).contains("<p>It does not answer. This is as of 70 s ago.</p>"));
}

#[test]
fn texts_are_bounded() {
    let long = report(&[0xff; 2048]);
    let short = report(&[0xff; TEXT_BYTES_MAX]);
    assert_eq!(json::json(&long), json::json(&short));
    assert_eq!(page::page(&long), page::page(&short));
}

#[test]
fn metrics_are_lines_without_uris() {
    let text = metrics::metrics(&report(b"/secret"));
    for line in [
        "# TYPE ephpm_process_ready gauge\nephpm_process_ready{process=\"0\"} 1\nephpm_process_ready{process=\"1\"} 0\n",
        "ephpm_process_starts_total{process=\"1\"} 3\n",
        "# TYPE ephpm_process_age_seconds gauge\nephpm_process_age_seconds{process=\"0\"} 0.004\n",
        "ephpm_connections{process=\"0\",loop=\"0\"} 3\nephpm_connections{process=\"0\",loop=\"1\"} 1\n",
        "ephpm_threads_running{process=\"0\",pool=\"default\"} 1\n",
        "ephpm_threads_running{process=\"0\",pool=\"reports\"} 0\n",
        "ephpm_queue_oldest_wait_seconds{process=\"0\",pool=\"default\"} 1.5\n",
        "# TYPE ephpm_requests_total counter\nephpm_requests_total{process=\"0\"} 15\n",
        "ephpm_opcache_hits{process=\"0\"} 7\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

/// All samples of a family stand together, below its type, and no two of them have the same labels.
#[test]
fn metrics_of_several_processes_are_grouped() {
    let mut report = report(b"/");
    report.processes[1].figures = report.processes[0].figures.clone();
    let text = metrics::metrics(&report);
    assert!(
        text.contains("ephpm_requests_total{process=\"0\"} 15\nephpm_requests_total{process=\"1\"} 15\n"),
        "{text}"
    );
    let (mut families, mut samples) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.strip_prefix("# TYPE ") {
            Some(family) => families.push(family.split(' ').next().unwrap()),
            None => {
                let name = line.split(['{', ' ']).next().unwrap();
                assert_eq!(families.last(), Some(&name), "{line}");
                samples.push(line.rsplit_once(' ').unwrap().0);
            }
        }
    }
    for mut names in [families, samples] {
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

#[test]
fn what_a_process_writes_down_is_what_others_read() {
    let mut figures = figures(b"/a?\"<\xff\n\\");
    let opcache = |n| OpcacheStatus {
        memory_used_bytes: n,
        memory_free_bytes: n + 1,
        memory_wasted_bytes: n + 2,
        strings_used_bytes: n + 3,
        strings_free_bytes: n + 4,
        strings: n + 5,
        scripts: n + 6,
        keys: n + 7,
        keys_max: n + 8,
        hits: n + 9,
        misses: n + 10,
        restarts_out_of_memory: n + 11,
        restarts_hash_overflow: n + 12,
        restarts_reset: n + 13,
        restart_pending: true,
        is_full: false,
    };
    figures.opcache = Some((opcache(100), Duration::from_millis(3)));
    let text = notice::write(&figures);
    assert_eq!(notice::read(&text), Some(figures.clone()));
    figures.opcache = None;
    assert_eq!(notice::read(&notice::write(&figures)), Some(figures));
    // Whatever a process leaves that crashes.
    for len in 0..text.len() {
        assert_eq!(notice::read(&text[..len]), None);
    }
    for at in 0..text.len() {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut text = text.clone();
            text[at] = byte;
            let _ = notice::read(&text);
        }
    }
}

/// As many threads as may be configured, all of them lost and replaced, with the longest URIs.
#[test]
fn the_largest_server_has_room_on_the_board_and_is_told() {
    let threads = 1024 + 16 * 1024;
    let mut figures = figures(b"/");
    let busy = |number| thread(number, ThreadState::Running, Some(&[b'\x01'; 2048]));
    figures.php.threads = (0..threads).map(busy).collect();
    figures.php.lost = (0..threads).map(busy).collect();
    let queue = QueueStatus { len: 1, capacity: 1, oldest_wait: Some(Duration::MAX) };
    let pool = |number: usize| PoolStatus { name: "x".repeat(32), threads: number..number + 1024, queue };
    figures.php.pools = (0..17).map(|number| pool(1024 * number)).collect();
    figures.connections = vec![usize::MAX; 256];
    let text = notice::write(&figures);
    assert!(text.len() <= notice_bytes_max(threads, 17, 256), "{}", text.len());
    assert_eq!(notice::read(&text).unwrap().php.lost.len(), threads);
    // As many as anybody may want to see at once.
    let threads = 1024;
    figures.php.threads.truncate(threads);
    figures.php.lost.clear();
    let process = Process { number: 0, starts: 1, stage: None, figures: Some((figures, Duration::ZERO)) };
    let report = Report { php_version: "8.4.1", processes: vec![process] };
    assert_eq!(page::page(&report).matches("<tr><td>php-").count(), threads);
    assert_eq!(json::json(&report).matches("\"memory_held_bytes\"").count(), threads);
}

#[test]
fn who_was_waited_for_in_vain_is_not_waited_for_again_at_once() {
    let in_vain = Mutex::default();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut waits = Vec::new();
    for is_answered in [true, false, true, true] {
        wait(&in_vain, deadline, |until| {
            waits.push(until == deadline);
            is_answered
        });
    }
    assert_eq!(waits, [true, true, false, false]);
}
