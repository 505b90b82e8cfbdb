//! Clients that read slowly, or not at all, do not hold PHP threads: what they have not taken lies in files.

#![cfg(feature = "php")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use ephpm::base::random::Random;
use support::{Connection, Server, TemporaryDirectory, site, wait_for, wait_until};

/// More than the kernel holds for a loopback connection.
const LEN: usize = 20 << 20;
/// Nobody is cut because the machine is busy.
const PATIENT: &str = "write_timeout = \"10m\"";

/// A site with a script that sends `LEN` bytes which no coding makes shorter, and those bytes.
fn noisy_site() -> (TemporaryDirectory, Vec<u8>) {
    let big = "<?php touch(__DIR__ . '/begun'); readfile(__DIR__ . '/noise'); touch(__DIR__ . '/done');";
    let root = site(&[("big.php", big), ("n.php", "<?php echo 'well';")]);
    let noise = Random(1).bytes(LEN);
    fs::write(root.path().join("noise"), &noise).expect("a written file");
    (root, noise)
}

fn temp_dir(directory: &TemporaryDirectory) -> String {
    format!("temp_dir = {:?}", directory.path().to_str().expect("UTF-8"))
}

/// The open files of the server that have no name any more and lay in `directory`.
fn unnamed(server: &Server, directory: &Path) -> Vec<PathBuf> {
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("a running server");
    let open = open.filter_map(|entry| Some(entry.ok()?.path()));
    open.filter(|file| fs::read_link(file).is_ok_and(|target| target.starts_with(directory))).collect()
}

/// Asks for the noise and reads nothing.
fn stall(server: &Server, version: &str, codings: &str) -> Connection {
    let mut connection = server.connect();
    let request =
        format!("GET /big.php HTTP/{version}\r\nHost: a\r\nAccept-Encoding: {codings}\r\nConnection: close\r\n\r\n");
    connection.write(request).expect("a sent request");
    connection
}

fn content(connection: Connection) -> (Option<String>, Vec<u8>) {
    let (response, _) = connection.incoming("GET").and_then(|incoming| incoming.finish()).expect("a response");
    assert_eq!(response.status, 200);
    (response.headers.first("Content-Encoding").map(str::to_owned), response.content)
}

/// S21: one thread makes what three clients do not read, and answers a fourth.
#[test]
fn s21_clients_that_read_nothing_hold_no_thread_and_lose_nothing() {
    let (root, noise) = noisy_site();
    let spool = TemporaryDirectory::new("spool");
    let server = Server::builder(root.path()).workers(1).server(&temp_dir(&spool)).server(PATIENT).start();
    let kinds = [("1.1", "identity"), ("1.0", "identity"), ("1.1", "zstd")];
    let stalled = kinds.map(|(version, codings)| stall(&server, version, codings));
    for _ in 0..3 {
        assert_eq!(server.client().get("/n.php").expect(200).text(), "well");
    }
    assert!(!unnamed(&server, spool.path()).is_empty());
    for (connection, (version, codings)) in stalled.into_iter().zip(kinds) {
        let (coding, content) = content(connection);
        let plain = match coding.as_deref() {
            None => content,
            Some(_) => zstd::decode_all(&content[..]).expect("zstd"),
        };
        assert_eq!(coding.unwrap_or_else(|| "identity".into()), codings);
        assert!(plain == noise, "{} bytes by HTTP/{version} in {codings}", plain.len());
    }
    wait_until(|| unnamed(&server, spool.path()).is_empty(), "a file is left");
    assert_eq!(fs::read_dir(spool.path()).expect("a directory").count(), 0);
    let (status, log) = server.stop();
    assert!(status.success() && !log.contains("response"), "{log}");
}

/// S21: what may not lie in a file waits in PHP, and none of it is lost.
#[test]
fn s21_files_are_bounded_and_php_waits_beyond() {
    for bound in ["response_file_max = \"1M\"", "response_files_max = \"1M\"", "response_file_max = 0"] {
        let (root, noise) = noisy_site();
        let spool = TemporaryDirectory::new("spool");
        let server =
            Server::builder(root.path()).workers(1).server(&temp_dir(&spool)).server(PATIENT).server(bound).start();
        let stalled = stall(&server, "1.1", "identity");
        wait_for(&root.path().join("begun"));
        if bound.contains("1M") {
            let nearly_full = |file: &PathBuf| fs::metadata(file).is_ok_and(|file| file.len() > (1 << 20) - 65_536);
            wait_until(|| unnamed(&server, spool.path()).iter().any(nearly_full), "there is no file");
        }
        // The kernel cannot have taken what is left.
        assert!(!root.path().join("done").exists(), "{bound}");
        assert!(content(stalled).1 == noise, "{bound}");
        assert!(root.path().join("done").exists());
        wait_until(|| unnamed(&server, spool.path()).is_empty(), "a file is left");
        let (status, log) = server.stop();
        assert!(status.success(), "{log}");
        assert_eq!(log.contains("server.response_files_max"), bound.contains("files"), "{log}");
    }
}

#[test]
fn s26_a_client_that_leaves_takes_its_file_along() {
    let (root, _) = noisy_site();
    let spool = TemporaryDirectory::new("spool");
    let server = Server::builder(root.path())
        .workers(1)
        .server(&temp_dir(&spool))
        .server(PATIENT)
        .server("response_files_max = \"24M\"")
        .start();
    for _ in 0..3 {
        // Each finds room, as the one before has given its own back.
        let mut stalled = stall(&server, "1.1", "identity");
        wait_until(|| root.path().join("done").exists(), "the script waits for its client");
        assert_eq!(unnamed(&server, spool.path()).len(), 1);
        stalled.read_until("\r\n\r\n").expect("a head");
        drop(stalled);
        wait_until(|| unnamed(&server, spool.path()).is_empty(), "the file is left");
        fs::remove_file(root.path().join("done")).expect("it was there");
    }
}
