//! Clients whose process hands its sockets to another (SIGUSR2): they are told in two steps, what they have asked for
//! comes whole from the old process, and what they ask for next from the new one.

use super::*;
use crate::support::{is_running, kill, wait_until};

/// What the server says when it wants to know whether its first GOAWAY has arrived, answered.
fn pong(client: &mut Client) -> Vec<u8> {
    client.read_until(|received| !received.pings.is_empty());
    assert_eq!(client.received.goaways, [(u32::MAX >> 1, NO_ERROR)], "the first step refuses nothing");
    frame(PING, ACK, 0, &client.received.pings[0])
}

/// Reads until the server closes, which it does behind a GOAWAY that names `last`.
fn ends(mut client: Client, last: u32) {
    client.read_until(|_| false);
    assert_eq!(client.received.goaways, [(u32::MAX >> 1, NO_ERROR), (last, NO_ERROR)]);
    assert!(client.received.answers.values().all(|answer| answer.is_complete && answer.reset.is_none()));
}

#[test]
fn a_takeover_is_said_in_two_steps_and_every_request_ends_whole() {
    const UPLOAD: &[u8] = &[b'x'; 16_000];
    for loops in [1, 3] {
        let site = site();
        fs::write(site.path().join("pid.php"), "<?php echo getmypid();").unwrap();
        let server = Server::builder(site.path()).server(&format!("event_loops = {loops}")).server(PATIENT).start();
        server.wait_for_log("listening on");
        // One whose script runs, one whose window is too small for a file, one that uploads, one that has all it wanted.
        let [mut runs, mut downloads, mut uploads, mut idles] = [(); 4].map(|()| Client::connect(&server, &[]));
        runs.send(&get(1, "/waiting.php"));
        wait_for(&site.path().join("running"));
        downloads.send(&get(1, "/large.bin"));
        downloads.read_until(|received| received.answers.get(&1).is_some_and(|answer| answer.content.len() == 65_535));
        uploads.send(&[head(1, 0, "POST", "/", &[]), data(1, 0, UPLOAD)].concat());
        idles.send(&get(1, "/pid.php"));
        assert_eq!(idles.answer(1).text(), server.pid().to_string());
        uploads.send(&get(3, "/pid.php"));
        assert_eq!(uploads.answer(3).text(), server.pid().to_string());
        server.signal("USR2");
        server.wait_for_log("serves now");

        // What was on its way when the first step was said is served as ever.
        let said = pong(&mut runs);
        runs.send(&[get(3, "/pid.php"), said].concat());
        assert_eq!(runs.answer(3).text(), server.pid().to_string());
        runs.read_until(|received| received.goaways.len() == 2);
        assert_eq!(runs.received.goaways[1], (3, NO_ERROR));
        let said = pong(&mut idles);
        idles.send(&said);
        ends(idles, 1);
        let said = pong(&mut uploads);
        uploads.send(&[said, data(1, 0, UPLOAD), data(1, END_STREAM, UPLOAD)].concat());
        assert_eq!(uploads.answer(1).text(), format!("HTTP/2.0 {}", 3 * UPLOAD.len()));
        ends(uploads, 3);
        let said = pong(&mut downloads);
        downloads.send(&[said, window_update(0, 1 << 24), window_update(1, 1 << 24)].concat());
        assert!(downloads.answer(1).content == large(), "a large file");
        ends(downloads, 1);
        assert!(!runs.received.answers.contains_key(&1), "its script is at work");

        // A loop of the old one that nobody was connected to may have yet to hear of it, and takes who comes meanwhile.
        let mut served = None;
        wait_until(
            || {
                let mut client = Client::connect(&server, &[]);
                client.send(&get(1, "/pid.php"));
                let pid: u32 = client.answer(1).text().parse().unwrap();
                served = Some((client, pid));
                pid != server.pid()
            },
            "the new process never answered",
        );
        let (mut client, successor) = served.unwrap();
        assert!(is_running(server.pid()));
        fs::write(site.path().join("go"), "").unwrap();
        assert_eq!(runs.answer(1).text(), "done");
        ends(runs, 3);
        let (status, log) = server.wait();
        assert!(status.success(), "{log}");
        // The new one has its connection all the while.
        client.send(&get(3, "/pid.php"));
        assert_eq!(client.answer(3).text(), successor.to_string());
        kill("TERM", successor);
        let said = pong(&mut client);
        client.send(&said);
        ends(client, 3);
        wait_until(|| !is_running(successor), "the successor does not stop");
    }
}
