//! What the seam to PHP does faster than PHP's core, beside what the core does: scripts cannot tell.

#![cfg(feature = "php")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use support::{Json, Request, Server, TemporaryDirectory};

/// All that a script can see of its request's variables, by every way of asking.
const VARIABLES: &str = r#"<?php
$seen = ['server' => [], 'asked' => [], 'environment' => []];
foreach ($_SERVER as $name => $value) { $seen['server'][] = [$name, gettype($name), $value]; }
foreach ($_SERVER as $name => $value) {
    if (is_string($value)) {
        $seen['asked'][] = [$name, filter_input(INPUT_SERVER, $name, FILTER_UNSAFE_RAW)];
        $seen['environment'][] = [$name, getenv($name)];
    }
}
header('Content-Type: text/plain');
echo json_encode($seen, JSON_THROW_ON_ERROR);
"#;

/// What a script has seen of some requests, but for what differs each time: ports and times.
fn variables(builder: support::Builder) -> Vec<Vec<String>> {
    let server = builder.start();
    let long = "x".repeat(5000);
    let requests = [
        Request::get("/index.php"),
        Request::get("/index.php/info/a%20b?q=%22%27%3C&e[]=1&e[]=2"),
        Request::get("/index.php")
            .header("X-Quotes", "it's \"quoted\" \\ <b>&amp;</b>")
            .header("X-Empty", "")
            .header("X-Bytes", "\u{e9}\u{4e2d}\u{1f418} %41%00")
            .header("X-Long", &long)
            .header("X-Twice", "1")
            .header("x-twice", "2")
            .header("X-1", "0")
            .header("X", "one letter")
            .header("Cookie", "a=1; b[c]=2; d.e=3")
            .header("Authorization", "Basic a2V2aW46cGFzc3dvcmQ="),
        Request::post("/index.php?x=1").form(&[("name", "value"), ("array[]", "1"), ("quote", "'")]),
        Request::post("/index.php").content("application/json; charset=utf-8", "{\"a\": \"b\"}"),
    ];
    let ask = |request: &Request| {
        let seen = Json::parse(&server.client().send(request).expect(200).text());
        let rows = ["server", "asked", "environment"].into_iter().flat_map(|table| seen[table].items());
        let is_told = |row: &&Json| {
            let name = row[0].as_str().expect("a name");
            !["SERVER_PORT", "REMOTE_PORT", "REQUEST_TIME", "REQUEST_TIME_FLOAT"].contains(&name)
        };
        rows.filter(is_told).map(|row| format!("{row:?}").replace(&server.address().to_string(), "ADDRESS")).collect()
    };
    requests.iter().map(ask).collect()
}

#[test]
fn variables_are_those_that_a_filter_lets_through() {
    let root = TemporaryDirectory::new("twins");
    root.write("index.php", VARIABLES);
    let builder = || Server::builder(root.path());
    let plain = variables(builder());
    // The name of the filter that does nothing, in letters that are not looked for: each variable goes through it.
    let filtered = variables(builder().ini("filter.default", "Unsafe_Raw"));
    assert_eq!(plain, filtered);
    assert!(plain.iter().all(|rows| rows.len() > 45), "{plain:#?}");
    // So that it is known that a filter is asked.
    let encoded = variables(builder().ini("filter.default", "full_special_chars"));
    assert_ne!(plain[2], encoded[2]);
}

/// Where a script begins, and where PHP's own `chdir()` to its directory leads.
const DIRECTORY: &str = r#"<?php
$look = fn() => [getcwd(), realpath('.'), realpath('neighbour'), (string) @file_get_contents('neighbour'), is_dir('.')];
$seen = [$look()];
chdir('/');
chdir(dirname($_SERVER['SCRIPT_FILENAME']));
clearstatcache(true);
$seen[] = $look();
echo json_encode($seen);
"#;

#[test]
fn a_script_begins_where_phps_own_change_of_directory_leads() {
    let root = TemporaryDirectory::new("twins");
    for directory in ["", "deep/er/", "with space/", "real/"] {
        root.write(&format!("{directory}index.php"), DIRECTORY);
        root.write(&format!("{directory}neighbour"), directory);
    }
    symlink("real", root.path().join("linked")).expect("a link");
    symlink("real/index.php", root.path().join("outer.php")).expect("a link");
    let link = root.path().with_extension("link");
    let _ = fs::remove_file(&link);
    symlink(root.path(), &link).expect("a link");
    for document_root in [root.path(), &link] {
        let server = Server::builder(document_root).start();
        let mut client = server.client();
        // At first PHP knows none of the paths, then all of them.
        for _ in 0..2 {
            for (target, neighbour) in [
                ("/index.php", ""),
                ("/deep/er/index.php", "deep/er/"),
                ("/with%20space/", "with space/"),
                ("/linked/index.php", "real/"),
                ("/real/index.php/info", "real/"),
                ("/outer.php", ""),
            ] {
                let text = client.get(target).expect(200).text();
                let seen = Json::parse(&text);
                assert_eq!(seen[0], seen[1], "{target}");
                assert_eq!(seen[0][3].as_str(), Some(neighbour), "{target}: {text}");
            }
        }
    }
    fs::remove_file(&link).expect("the link");
}
