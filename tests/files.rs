//! Files, links and codings over loopback, with PHP where PHP matters.

#![cfg(feature = "php")]

mod support;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use support::{Request, Response, Server, TemporaryDirectory};

/// A document root with these files.
fn site(files: &[(&str, &[u8])]) -> TemporaryDirectory {
    let directory = TemporaryDirectory::new("files");
    for (name, content) in files {
        write(&directory.path().join(name), content);
    }
    directory
}

/// Writes a file that has stood still for long.
fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
    fs::write(path, content).expect("a written file");
    let file = File::options().write(true).open(path).expect("the file");
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).expect("its time");
}

fn get(target: &str, accepted: &str) -> Request {
    Request::get(target).header("Accept-Encoding", accepted)
}

/// The content without its coding.
fn decoded(response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    let content = &response.content[..];
    match response.header("Content-Encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(content).read_to_end(&mut out).map(drop),
        Some("br") => brotli::Decompressor::new(content, 4096).read_to_end(&mut out).map(drop),
        Some("zstd") => zstd::stream::read::Decoder::new(content).and_then(|mut d| d.read_to_end(&mut out)).map(drop),
        None => out.write_all(content),
        Some(other) => panic!("{other}?"),
    }
    .expect("whole content");
    out
}

const STYLE: &str = "body { color: rebeccapurple; }\n";
const PAGE: &str = "<?php header('ETag: \"v1\"'); for ($i = 0; $i < $_GET['n']; $i++) { echo \"<p>line $i</p>\\n\"; }";

#[test]
fn pages_and_files_are_encoded_as_the_client_likes_it() {
    let style = STYLE.repeat(5000);
    let root = site(&[("page.php", PAGE.as_bytes()), ("style.css", style.as_bytes()), ("a.png", &[7; 5000])]);
    let server = Server::builder(root.path()).start();
    let mut client = server.client();
    for target in ["/page.php?n=100", "/page.php?n=100000", "/style.css"] {
        let plain = client.send(&Request::get(target)).expect(200);
        assert_eq!((plain.header("Content-Encoding"), plain.header("Vary")), (None, Some("Accept-Encoding")));
        for coding in ["gzip", "br", "zstd"] {
            let response = client.send(&get(target, coding)).expect(200);
            assert_eq!(response.header("Content-Encoding"), Some(coding), "{target}");
            assert!(response.content.len() < plain.content.len() / 4, "{target} {coding}");
            assert_eq!(decoded(&response), plain.content, "{target} {coding}");
            assert_eq!(response.header("Content-Type"), plain.header("Content-Type"));
            let tag = response.header("ETag").expect("a tag");
            assert!(tag.starts_with("W/\"") && plain.header("ETag") != Some(tag));
            let head = client.send(&Request::head(target).header("Accept-Encoding", coding)).expect(200);
            assert_eq!(head.header("Vary"), Some("Accept-Encoding"));
        }
    }
    // A page that fits one block is sent with its length, as it would be without a coding.
    let page = client.send(&get("/page.php?n=100", "zstd")).expect(200);
    assert_eq!(page.header("Content-Length").map(str::to_owned), Some(page.content.len().to_string()));
    assert_eq!(client.send(&get("/page.php?n=10", "gzip")).expect(200).header("Content-Encoding"), None, "too short");
    let png = client.send(&get("/a.png", "gzip")).expect(200);
    assert_eq!((png.header("Content-Encoding"), png.header("Vary")), (None, None));
    // So a client of HTTP/1.0 may keep its connection (rule 62).
    let first = "GET /page.php?n=100 HTTP/1.0\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n";
    let wire = server.raw(format!("{first}GET /none HTTP/1.0\r\n\r\n"));
    let text = String::from_utf8_lossy(&wire);
    assert!(text.contains("Content-Encoding: gzip\r\n") && text.contains("HTTP/1.1 404 "), "{text}");

    let off = Server::builder(root.path()).sections("[compression]\nenabled = false\n").start();
    for target in ["/page.php?n=100", "/style.css"] {
        let response = off.client().send(&get(target, "gzip")).expect(200);
        assert_eq!((response.header("Content-Encoding"), response.header("Vary")), (None, None), "{target}");
    }
}

#[test]
fn what_a_script_flushes_arrives_in_every_coding() {
    let script = r#"<?php
        for ($i = 0; $i < 3; $i++) {
            echo "piece $i;"; flush();
            for ($n = 0; $n < 6000 && !file_exists(__DIR__ . "/go-$i"); $n++) { usleep(5000); clearstatcache(); }
        }"#;
    let root = site(&[("stream.php", script.as_bytes())]);
    let server = Server::builder(root.path()).start();
    for coding in ["gzip", "br", "zstd"] {
        let mut incoming = server.client().open(&get("/stream.php", coding));
        assert_eq!(incoming.header("Content-Encoding"), Some(coding));
        let mut received = Vec::new();
        for piece in 0..3 {
            let wanted: String = (0..=piece).map(|piece| format!("piece {piece};")).collect();
            while partly_decoded(coding, &received) != wanted {
                received.extend(incoming.read().expect("content").expect("more of it"));
            }
            write(&root.path().join(format!("go-{piece}")), b"");
        }
        let (response, _) = incoming.finish().expect("the end");
        received.extend_from_slice(&response.content);
        assert_eq!(partly_decoded(coding, &received), "piece 0;piece 1;piece 2;");
        (0..3).for_each(|piece| fs::remove_file(root.path().join(format!("go-{piece}"))).expect("it was there"));
    }
}

/// What can be read of content that has not ended.
fn partly_decoded(coding: &str, content: &[u8]) -> String {
    let mut reader: Box<dyn Read + '_> = match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(content)),
        "br" => Box::new(brotli::Decompressor::new(content, 4096)),
        _ => Box::new(zstd::stream::read::Decoder::new(content).expect("a decoder")),
    };
    let (mut out, mut byte) = (Vec::new(), [0]);
    while reader.read(&mut byte).is_ok_and(|n| n == 1) {
        out.push(byte[0]);
    }
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn what_is_encoded_or_trickles_is_left_alone() {
    let events = "<?php header('Content-Type: text/event-stream'); echo str_repeat(\"data: x\\n\\n\", 500);";
    let own = "<?php header('Content-Encoding: gzip'); echo gzencode(str_repeat('x', 5000));";
    let fixed = "<?php header('Cache-Control: no-transform'); echo str_repeat('x', 5000);";
    let root = site(&[("events.php", events.as_bytes()), ("own.php", own.as_bytes()), ("fixed.php", fixed.as_bytes())]);
    let server = Server::builder(root.path()).start();
    let mut client = server.client();
    for target in ["/events.php", "/fixed.php"] {
        let response = client.send(&get(target, "gzip, br, zstd")).expect(200);
        assert_eq!((response.header("Content-Encoding"), response.header("Vary")), (None, None), "{target}");
    }
    let response = client.send(&get("/own.php", "gzip, br, zstd")).expect(200);
    assert_eq!(decoded(&response), vec![b'x'; 5000]);
}

#[test]
fn a_file_has_neighbours_ranges_and_rules() {
    let large: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let root = site(&[
        ("app.js", STYLE.repeat(100).as_bytes()),
        ("app.js.br", b"brotli's"),
        ("app.js.gz", b"gzip's"),
        ("large.bin", &large),
    ]);
    let sections = "[cache]\nrules = [[\"*.js\", \"public, max-age=60\"]]\n";
    let server = Server::builder(root.path()).server("range_parts_max = 3").sections(sections).start();
    let mut client = server.client();
    let response = client.send(&get("/app.js", "gzip, zstd, br")).expect(200);
    assert_eq!((response.header("Content-Encoding"), &response.content[..]), (Some("br"), &b"brotli's"[..]));
    assert_eq!(response.header("Cache-Control"), Some("public, max-age=60"));
    let tag = response.header("ETag").expect("a tag").to_owned();
    let not_modified = client.send(&get("/app.js", "br").header("If-None-Match", &tag)).expect(304);
    assert_eq!(not_modified.header("Vary"), Some("Accept-Encoding"));
    let response = client.send(&get("/app.js", "gzip").header("Range", "bytes=0-3")).expect(206);
    assert_eq!((response.header("Content-Encoding"), &response.content[..]), (Some("gzip"), &b"gzip"[..]));
    assert_eq!(client.send(&get("/app.js", "identity;q=0")).expect(406).header("Vary"), Some("Accept-Encoding"));
    assert_eq!(client.send(&Request::get("/app.js.gz")).expect(200).header("Content-Encoding"), None);

    let ranges = Request::get("/large.bin").header("Range", "bytes=150000-199999,0-9,-1");
    let response = client.send(&ranges).expect(206);
    let boundary = response.header("Content-Type").and_then(|value| value.split_once("boundary=")).expect("parts").1;
    let wanted: Vec<u8> = [(150_000, 199_999), (0, 9)]
        .iter()
        .flat_map(|(first, last)| {
            let head = format!(
                "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes {first}-{last}/200000\r\n\r\n"
            );
            [head.as_bytes(), &large[*first..=*last], b"\r\n"].concat()
        })
        .chain(format!("--{boundary}--\r\n").into_bytes())
        .collect();
    assert!(response.content == wanted, "{}", response.content.len());
    let response = client.send(&Request::get("/large.bin").header("Range", "bytes=0-0,2-2,4-4,6-6")).expect(200);
    assert!(response.content == large);
}

#[test]
fn links_and_uploads_run_only_what_they_may() {
    let other = site(&[("out.php", b"<?php echo 'out';"), ("secret.txt", b"secret")]);
    let files: &[(&str, &[u8])] = &[
        ("in.php", b"<?php echo 'in';"),
        ("wp-content/uploads/x.php", b"<?php echo 'x';"),
        ("shop/files/y.php", b"y"),
    ];
    let root = site(files);
    let link = |target: &Path, name: &str| symlink(target, root.path().join(name)).expect("a link");
    link(Path::new("in.php"), "link.php");
    link(&other.path().join("out.php"), "out.php");
    link(&other.path().join("secret.txt"), "secret.txt");
    for (policy, wanted) in [("all", [200, 200, 200]), ("inside", [200, 403, 403]), ("none", [403, 403, 403])] {
        let server = Server::builder(root.path())
            .server(&format!("follow_symlinks = \"{policy}\"\ndeny_php = [\"/wp-content/uploads\", \"/shop/files/\"]"))
            .start();
        let mut client = server.client();
        for (target, status) in ["/link.php", "/out.php", "/secret.txt"].into_iter().zip(wanted) {
            let text = client.get(target).expect(status).text();
            assert!(status == 200 || !(text.contains("out") || text.contains("secret")), "{policy} {target}: {text}");
        }
        for target in ["/wp-content/uploads/x.php", "/wp-content/uploads/x.php/y", "/shop/files/y.php"] {
            assert!(!client.get(target).expect(404).text().contains("echo"), "{target}");
        }
        assert_eq!(client.get("/in.php").expect(200).text(), "in");
        if policy == "inside" {
            server.wait_for_log("refused, a symbolic link that server.follow_symlinks does not allow");
        }
    }
}
