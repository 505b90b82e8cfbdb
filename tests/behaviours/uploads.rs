//! Uploaded files: they are there for their request, and gone after it however it ends.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::site::{Site, get};
use crate::support::{Json, Multipart, Request};

fn upload(how: &str, i: u32) -> Request {
    let form = Multipart::default()
        .file("file", "ä \u{1F40E}.txt", "text/plain", format!("content {i}").as_bytes())
        .file("many[]", "one.bin", "application/octet-stream", &[b'1'; 50_000])
        .file("many[]", "..\\..\\two.bin", "application/octet-stream", b"two")
        .file("deep[a][b]", "../../three", "text/plain", b"three")
        .text("text", &i.to_string());
    Request { method: "POST".into(), ..get(&format!("upload.php?how={how}"), i) }.multipart(form)
}

#[test]
fn uploads_are_there_and_then_gone_however_the_request_ends() {
    let site = Site::start();
    for how in ["", "exit", "fatal", "memory", "moved"] {
        site.many(
            |i| upload(how, i),
            |i, response| {
                let page = response.text();
                let page = Json::parse(page.lines().next().expect("a line"));
                assert_eq!(page["number"].as_str(), Some(&*i.to_string()), "{how}");
                assert_eq!(page["post"]["text"].as_str(), Some(&*i.to_string()));
                assert_eq!(page["content"][0].as_str(), Some(&*format!("content {i}")));
                assert_eq!(page["content"][1].as_str().map(str::len), Some(50_000));
                let name = |file: &str| page["files"][file]["name"].clone();
                assert_eq!(name("file").as_str(), Some("ä \u{1F40E}.txt"));
                assert_eq!(name("many")[1].as_str(), Some("two.bin"));
                assert_eq!(name("deep")["a"]["b"].as_str(), Some("three"));
                for path in page["paths"].items() {
                    assert!(!Path::new(path.as_str().expect("a path")).exists(), "{how}: {path:?} is left");
                }
                assert_eq!(page["paths"].items().len(), 4);
            },
        );
        for (_, root) in site.each() {
            assert_eq!(left(root), 0, "{how}");
        }
    }
    for (_, root) in site.each() {
        assert_eq!(fs::read_to_string(root.join("moved-100")).expect("a moved file"), "content 100");
    }
}

#[test]
fn uploads_of_a_client_that_leaves_are_removed() {
    let site = Site::start();
    site.many_that_leave(|server, root, i| {
        let mut client = server.connect();
        client.write(upload("wait", i).encode("a", None)).expect("sent");
        client.read_until("xxx").expect("some output");
        let paths = fs::read_to_string(root.join(format!("paths-{i}"))).expect("a file");
        assert_eq!(paths.lines().count(), 4);
        drop(client);
        let deadline = Instant::now() + Duration::from_secs(120);
        while paths.lines().any(|path| Path::new(path).exists()) {
            assert!(Instant::now() < deadline, "the files are left");
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    // One that leaves in the middle of its upload never reaches PHP.
    site.many_that_leave(|server, _, i| {
        let whole = upload("", i).encode("a", None);
        let mut client = server.connect();
        client.write(&whole[..whole.len() * (i as usize + 1) / 103]).expect("sent");
        drop(client);
        server.client().send(&get("hello.php", i)).expect(200);
    });
    for (_, root) in site.each() {
        assert_eq!(left(root), 0);
    }
}

#[test]
fn limits_of_uploads_are_told() {
    let site = Site::with(|builder, _| {
        builder.ini("upload_max_filesize", "1K").ini("post_max_size", "10K").ini("max_file_uploads", "2")
    });
    let file = |bytes: usize| Multipart::default().file("file", "f", "text/plain", &vec![b'x'; bytes]);
    let three = || file(1).file("b", "b", "text/plain", b"b").file("c", "c", "text/plain", b"c");
    let no_file = || Multipart::default().file("file", "", "text/plain", b"");
    // A number has a form, and the forms of others go on at the same time.
    let forms: [(&(dyn Fn() -> Multipart + Sync), Option<f64>); 5] = [
        (&|| file(1000), Some(0.0)),
        (&|| file(2000), Some(1.0)),
        (&|| file(20_000), None),
        (&no_file, Some(4.0)),
        (&three, Some(0.0)),
    ];
    site.many(
        |i| {
            let (form, _) = forms[i as usize % forms.len()];
            Request { method: "POST".into(), ..get("upload.php", i) }.multipart(form())
        },
        |i, response| {
            let page = Json::parse(&response.clone().expect(200).text());
            assert_eq!(page["files"]["file"]["error"].as_number(), forms[i as usize % forms.len()].1, "{response:?}");
            assert_eq!(page["number"].as_str(), Some(&*i.to_string()));
        },
    );
    for (_, root) in site.each() {
        assert_eq!(left(root), 0);
    }
}

/// How many files PHP has left behind.
fn left(root: &Path) -> usize {
    fs::read_dir(root.join("uploads")).expect("a directory").count()
}
