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

fn report(uri: &[u8]) -> Report {
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
    Report {
        php_version: "8.4.1",
        pid: 77,
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
        format!(r#"{{"version":"{version}","php_version":"8.4.1","pid":77,"start_time":784111777,"uptime_seconds":90,"#),
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
    assert!(text.ends_with("\"restart_pending\":false,\"cache_full\":false}}\n"), "{text}");
    let without = Report { opcache: None, ..report(b"/") };
    assert!(json::json(&without).ends_with(",\"opcache\":null}\n"));
}

#[test]
fn a_page_shows_what_visitors_send_as_text() {
    let text = page::page(&report(b"/<script>alert('1')</script>&\"\x1b\xff"));
    let wanted =
        "GET /&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\\u{1b}\u{fffd}<br>/srv/a&quot;b.php\n";
    assert_eq!(text.matches(wanted).count(), 2, "{text}");
    assert!(!text.contains("<script"), "{text}");
    assert!(text.contains("<p>Process 77, since Sun, 06 Nov 1994 08:49:37 GMT (90 s).</p>"), "{text}");
    assert!(text.contains("<td>reports<td>restarting"), "{text}");
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
        "# TYPE ephpm_connections gauge\nephpm_connections{loop=\"0\"} 3\nephpm_connections{loop=\"1\"} 1\n",
        "ephpm_threads_running{pool=\"default\"} 1\nephpm_threads_running{pool=\"reports\"} 0\n",
        "ephpm_queue_oldest_wait_seconds{pool=\"default\"} 1.5\n",
        "# TYPE ephpm_requests_total counter\nephpm_requests_total 15\n",
        "ephpm_opcache_hits 7\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains("secret"), "{text}");
}
