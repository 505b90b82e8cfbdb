//! How requests end.

use std::fs;
use std::time::Duration;

use crate::site::{Site, get, text};
use crate::support::Request;

/// How, the status, what is written before shutdown functions, and whether destructors run.
const ENDINGS: [(&str, u16, &str, bool); 10] = [
    ("none", 200, " end", true),
    ("exit", 200, " text", true),
    ("code", 200, "", true),
    ("exception", 500, "", true),
    ("fatal", 500, "", true),
    ("memory", 500, "", false),
    ("error", 500, "", false),
    ("parse", 500, "", true),
    ("compile", 500, "", true),
    ("dd", 500, "", true),
];

#[test]
fn every_ending_has_its_status_its_shutdown_functions_and_its_destructors() {
    let site = Site::start();
    for (how, status, output, destructs) in ENDINGS {
        let destructor = if destructs { " destructor" } else { "" };
        site.many(
            |i| get(&format!("ending.php?how={how}"), i),
            |i, response| {
                // What has not been sent when memory runs out is dropped.
                let begun = if how == "memory" { String::new() } else { i.to_string() };
                let expected = format!("{begun}{output} first second last{destructor}");
                assert_eq!((&*response.text(), response.status), (&*expected, status), "{how}");
            },
        );
    }
}

#[test]
fn a_shutdown_function_may_still_change_the_status() {
    let site = Site::start();
    for how in ["none", "exit", "fatal"] {
        site.many(
            |i| get(&format!("ending.php?how={how}&late={}", 400 + i % 50), i),
            |i, response| assert_eq!(u32::from(response.status), 400 + i % 50, "{how}"),
        );
    }
}

#[test]
fn errors_are_shown_where_they_are_to_be_displayed() {
    let site = Site::start();
    for (how, words) in [
        ("exception", "Uncaught Exception: request "),
        ("fatal", "Call to undefined function undefined_function()"),
        ("memory", "Allowed memory size of 134217728 bytes exhausted"),
        ("parse", "Unclosed '{'"),
        ("compile", "Cannot use the final modifier on an abstract"),
    ] {
        site.many(
            |i| get(&format!("ending.php?display=1&how={how}"), i),
            |i, response| {
                let page = text(response, 200);
                assert!(how == "memory" || page.starts_with(&i.to_string()), "{how}: {page}");
                assert!(page.contains(words), "{how}: {page}");
                assert!(how != "exception" || page.contains(&format!("request {i} in ")), "{page}");
            },
        );
    }
}

/// Or else the client's next request would find its own locks, transactions and temporary files.
#[test]
fn what_a_script_holds_is_let_go_before_its_response_ends() {
    let site = Site::start();
    site.many_clients(|client, root, i| {
        let page = text(&client.send(&get("held.php", i)), 200);
        assert!(!root.join(format!("held-{i}")).exists(), "{page}");
        assert_eq!(page, format!("held {i} true"));
    });
}

#[test]
fn a_script_works_on_after_the_end_of_its_response() {
    let site = Site::start();
    site.many(
        |i| get("finish.php", i),
        |i, response| {
            assert_eq!(text(response, 200), format!("seen {i}"));
            assert!(response.header("X-Late").is_none());
            assert_eq!(response.header("Content-Length"), Some(&*format!("{}", format!("seen {i}").len())));
        },
    );
    for (_, root) in site.each() {
        for i in 0..=100 {
            let done = root.join(format!("done-{i}"));
            wait_until(|| fs::read_to_string(&done).is_ok_and(|text| !text.is_empty()));
            assert_eq!(fs::read_to_string(&done).expect("a file"), "0 false [true,false,false] 0");
        }
    }
    for log in site.stop() {
        assert_eq!(log.matches("after the end of ").count(), 101, "{log}");
    }
}

#[test]
fn content_can_be_read_until_the_very_end_finished_or_not() {
    let site = Site::start();
    let target = |i: u32| if i.is_multiple_of(2) { "late_input.php?finish" } else { "late_input.php" };
    let content = |i: u32| format!("{{\"number\":{i}}}");
    site.many_clients(|client, root, i| {
        let request = Request { method: "PUT".into(), ..get(target(i), i) };
        let response = client.send(&request.content("application/json", content(i)));
        if i % 2 == 1 {
            assert_eq!(text(&response, 200), format!("shutdown: {}", content(i)));
            return;
        }
        assert_eq!(text(&response, 200), "finished");
        let late = root.join(format!("late-{i}"));
        wait_until(|| fs::read_to_string(&late).is_ok_and(|text| !text.is_empty()));
        assert_eq!(fs::read_to_string(&late).expect("a file"), content(i));
    });
}

/// A part comes only when the client has told, by a file, that it has the one before.
#[test]
fn what_is_flushed_is_seen_at_once() {
    let site = Site::start();
    for (how, content_type) in [("text", "text/plain;charset=UTF-8"), ("events", "text/event-stream;charset=UTF-8")] {
        site.many_raw(|client, root, i| {
            let request = format!("GET /parts.php?how={how}&i={how}{i} HTTP/1.1\r\nHost: a\r\n\r\n");
            client.write(request).expect("sent");
            let head = String::from_utf8(client.read_until("\r\n\r\n").expect("a head")).expect("UTF-8");
            let is_right = head.starts_with("HTTP/1.1 200 ") && head.contains(&format!(": {content_type}\r\n"));
            assert!(is_right && head.contains("chunked"), "{head}");
            for part in 1..=3 {
                client.read_until(format!("data: {part} of {how}{i}\n\n\r\n")).expect("a part");
                fs::write(root.join(format!("seen-{how}{i}-{part}")), "").expect("a written file");
            }
            client.read_until("end\r\n0\r\n\r\n").expect("the end");
        });
    }
}

/// A second for each, of which no more runs at a time than there are threads.
#[test]
fn a_script_whose_time_is_over_ends_with_its_error() {
    let site = Site::with(|builder, _| builder.workers(20));
    let error = "Maximum execution time of 1 second exceeded";
    site.many(
        |i| get("limit.php", i),
        |i, response| {
            let page = text(response, 200);
            assert!(page.starts_with(&format!("begun {i}\n")) && page.matches(error).count() == 1, "{page}");
            assert!(page.ends_with(&format!("shutdown {i}")), "{page}");
        },
    );
    site.many(|i| get("hello.php", i), |i, response| assert_eq!(text(response, 200), format!("I am request {i}")));
}

#[test]
fn a_client_that_leaves_ends_the_script_unless_it_ignores_that() {
    let site = Site::start();
    // Ignored?, finished before?, what the script sees.
    for (ignore, finish, expected) in
        [(0, 0, "status 1"), (1, 0, "status 1 went on"), (0, 1, "status 0 went on"), (1, 1, "status 0 went on")]
    {
        site.many_that_leave(|server, root, i| {
            let file = |name: &str| root.join(format!("{name}-{ignore}{finish}{i}"));
            let mut client = server.connect();
            // Half of them have asked for something else before.
            if i % 2 == 0 {
                client.write(format!("GET /hello.php?i={i} HTTP/1.1\r\nHost: a\r\n\r\n")).expect("sent");
                client.read_until(format!("I am request {i}")).expect("a response");
            }
            let target = format!("/aborted.php?ignore={ignore}&finish={finish}&i={ignore}{finish}{i}");
            client.write(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).expect("sent");
            client.read_until("here").expect("some output");
            drop(client);
            fs::write(file("left"), "").expect("a written file");
            wait_until(|| file("ended").exists());
            assert_eq!(fs::read_to_string(file("ended")).expect("a file"), expected, "{ignore} {finish}");
        });
        site.many(|i| get("hello.php", i), |i, response| assert_eq!(text(response, 200), format!("I am request {i}")));
    }
}

#[test]
fn a_method_that_nobody_knows_is_answered_and_costs_nothing() {
    let site = Site::start();
    for method in ["PURGE", "get", "OPTIONS", "TRACE", "CONNECT"] {
        // Some are answered and others refused, but each time in the same way.
        let first = std::sync::OnceLock::new();
        site.many(
            |i| Request::new(method, &format!("/hello.php?i={i}")),
            |i, response| {
                let answer = (response.status, response.text().replace(&format!("request {i}"), "request NUMBER"));
                assert_eq!(&answer, first.get_or_init(|| answer.clone()), "{method}");
            },
        );
    }
    site.many(|i| get("hello.php", i), |i, response| assert_eq!(text(response, 200), format!("I am request {i}")));
}

#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it never happened");
        std::thread::sleep(Duration::from_millis(2));
    }
}
