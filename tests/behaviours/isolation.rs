//! What one request must not leave to the next, nor share with another: sessions, environment, settings.

use crate::site::{Site, get, text};

#[test]
fn a_session_counts() {
    let site = Site::start();
    site.many_that_leave(|server, _, i| {
        // A client for each number has a session for each number.
        let (mut client, how) = (server.client(), ["", "exit", "fatal"][i as usize % 3]);
        for count in 0..5 {
            let response = client.send(&get(&format!("session.php?how={how}"), i));
            // The error comes after the head.
            assert_eq!(text(&response, 200), format!("Count: {count} {i}"), "{how}");
        }
    });
}

/// PHP keeps memory that a request has used for the next one, and with it kept that request's limit.
#[test]
fn a_raised_memory_limit_ends_with_its_request() {
    let site = Site::with(|builder, _| builder.ini("memory_limit", "16M"));
    site.many(
        |i| get(if i % 2 == 0 { "limit_of_memory.php?raise" } else { "limit_of_memory.php" }, i),
        |i, response| match i % 2 {
            0 => assert_eq!(text(response, 200), format!("64M {i}")),
            _ => assert_eq!(response.status, 500, "{response:?}"),
        },
    );
}

/// Nor does the memory that is kept let a script pass a limit that is lowered, by itself or by a `.user.ini`.
#[test]
fn a_lowered_memory_limit_holds_at_once() {
    let site = Site::with(|builder, _| builder.ini("memory_limit", "64M"));
    let scripts = ["limit_of_memory.php?raise", "limited/lowered.php", "limited/lowered.php?own=12M"];
    site.many(
        |i| get(scripts.get(i as usize % 4).unwrap_or(&"limited/lowered.php?own=64M"), i),
        |i, response| match i % 4 {
            0 => assert_eq!(text(response, 200), format!("64M {i}")),
            3 => assert_eq!(text(response, 200), "64M 33554432"),
            _ => assert_eq!(response.status, 500, "{response:?}"),
        },
    );
}

#[test]
fn sessions_do_not_meet() {
    let site = Site::start();
    for how in ["", "exit", "fatal"] {
        // Odd requests have a session of their own, even ones none.
        site.many(
            |i| if i % 2 == 1 { get(&format!("session.php?how={how}"), i) } else { get("stranger.php", i) },
            |i, response| match i % 2 {
                1 => {
                    // A client that is kept sends its cookie; its own numbers come in order.
                    let page = response.text();
                    assert!(page.starts_with("Count: ") && page.ends_with(&format!(" {i}")), "{page}");
                }
                _ => assert_eq!(text(response, 200), r#"[null,"",true,"files",null]"#),
            },
        );
    }
}

#[test]
fn a_session_handler_of_a_user_ends_with_its_request_however_that_ends() {
    let site = Site::start();
    for how in ["fatal", "exit", "write", "fine"] {
        // The handler holds a lock: if one did not let go of it, the next would wait for ever.
        site.many(
            |i| if i % 2 == 1 { get(&format!("handler.php?how={how}"), i) } else { get("stranger.php", i) },
            |i, response| match (i % 2, how) {
                (1, "fatal") => assert_eq!(response.status, 500),
                (1, "exit") => assert_eq!(text(response, 200), "exited"),
                (1, "fine") => assert_eq!(text(response, 200), format!("handled {i}")),
                // The output precedes the error.
                (1, _) => assert!(response.text().starts_with(&format!("handled {i}")), "{response:?}"),
                _ => assert_eq!(text(response, 200), r#"[null,"",true,"files",null]"#),
            },
        );
    }
}

/// As above, by the time limit: a second for each, of which no more runs at a time than there are threads, and hence
/// with a lock for each.
#[test]
fn a_session_handler_that_takes_too_long_lets_go_of_its_lock() {
    let site = Site::with(|builder, _| builder.workers(20));
    site.many_clients(|client, _, i| {
        let how = ["read", "write"][i as usize % 2];
        let response = client.send(&get(&format!("handler.php?how=endless%20{how}&lock={i}"), i));
        assert!(response.status == 500 || how == "write", "{how}: {response:?}");
        let response = client.send(&get(&format!("handler.php?how=fine&lock={i}"), i));
        assert_eq!(text(&response, 200), format!("handled {i}"));
    });
    for log in site.stop() {
        assert_eq!(log.matches("Maximum execution time of 1 second exceeded").count(), 101, "{log}");
    }
}

#[test]
fn settings_of_a_request_end_with_it() {
    let site = Site::start();
    site.many(
        |i| get("state.php", i),
        |_, response| assert_eq!(text(response, 200), r#"["UTC","UTF-8",true,22527,0,null,null,null]"#),
    );
}

#[test]
fn the_environment_is_as_it_was_for_the_next_request() {
    let site = Site::start();
    site.many(
        |i| get("environment.php", i),
        |_, response| {
            // Unset before; set, seen by getenv() and nowhere else; empty; unset; unset although never set; refused.
            let expected = r#"[false,false,true,true,false,true,true,true,true,"refused"]"#;
            assert_eq!(text(response, 200), expected);
        },
    );
}

#[test]
fn the_environment_of_the_server_is_not_told() {
    let site = Site::with(|builder, _| builder.environment("EPHPM_TEST_SECRET", "hunter2"));
    site.many(|i| get("server.php", i), |_, response| assert!(!text(response, 200).contains("hunter2")));
}
