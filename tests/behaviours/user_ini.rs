//! Settings by directory: `.user.ini` files and the sections of php.ini.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::site::{Site, get, text};
use crate::support::{Request, Server, TemporaryDirectory};

const SHOW: &str = "<?php echo json_encode(array_map('ini_get', ['precision', 'user_agent', 'enable_dl',
    'post_max_size', 'from'])), ' ', count($_POST), ' ', $_GET['i'] ?? '';";

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a file below the root")).expect("a new directory");
    fs::write(path, text).expect("a written file");
}

fn page(server: &Server, request: &Request) -> String {
    text(&server.client().send(request), 200)
}

#[test]
fn settings_of_directories_hold_for_their_scripts_alone() {
    let site = Site::with(|builder, root| {
        for directory in [".", "one", "one/inner", "other"] {
            write(root, &format!("{directory}/show.php"), SHOW);
        }
        write(root, ".user.ini", "precision = 10\nuser_agent = \"of the root\"\n");
        write(root, "one/.user.ini", "precision = 11\nenable_dl = 1\nno_such = 1\n[PATH=/]\nuser_agent = never\n");
        write(root, "one/inner/.user.ini", "[section]\nuser_agent = inner\npost_max_size = 7\n");
        builder.server("content_bytes_max = \"1M\"")
    });
    let settings = [
        ("show.php", r#"["10","of the root","0","1M",""]"#),
        ("one/show.php", r#"["11","of the root","0","1M",""]"#),
        ("one/inner/show.php", r#"["11","inner","0","7",""]"#),
        ("other/show.php", r#"["10","of the root","0","1M",""]"#),
        ("hello.php", "hello"),
    ];
    site.many(
        |i| get(settings[i as usize % 4].0, i),
        |i, response| assert_eq!(text(response, 200), format!("{} 0 {i}", settings[i as usize % 4].1)),
    );
    for (server, _) in site.each() {
        assert_eq!(server.client().send(&Request::get("/.user.ini")).status, 404);
        assert_eq!(server.client().send(&Request::get("/one/.user.ini")).status, 404);
        // They hold when the content is read: the one takes more than seven bytes, the other does not.
        let form = |path: &str| page(server, &Request::post(path).form(&[("a", "1"), ("b", "2"), ("c", "3")]));
        assert!(form("/one/show.php").ends_with(" 3 "));
        assert!(form("/one/inner/show.php").ends_with(" 0 "));
    }
}

/// One PHP thread, whose cache is looked at.
#[test]
fn files_are_read_again_when_their_time_is_over() {
    for (ttl, expected) in [("0", "12"), ("300", "10")] {
        let directory = TemporaryDirectory::new("user-ini");
        write(directory.path(), "show.php", SHOW);
        write(directory.path(), ".user.ini", "precision=10");
        let server = Server::builder(directory.path()).workers(1).ini("user_ini.cache_ttl", ttl).start();
        let show = Request::get("/show.php");
        assert!(page(&server, &show).starts_with(r#"["10""#));
        write(directory.path(), ".user.ini", "precision=12");
        assert!(page(&server, &show).starts_with(&format!(r#"["{expected}""#)), "{ttl}");
        fs::remove_file(directory.path().join(".user.ini")).unwrap();
        let without = if ttl == "0" { "14" } else { "10" };
        assert!(page(&server, &show).starts_with(&format!(r#"["{without}""#)), "{ttl}");
    }
}

#[test]
fn files_outside_of_the_document_root_do_not_count() {
    let directory = TemporaryDirectory::new("user-ini");
    let root = directory.path().join("public");
    write(&root, "show.php", SHOW);
    write(&root, "linked/show.php", SHOW);
    write(&root, "odd/show.php", SHOW);
    write(directory.path(), ".user.ini", "precision=10\n");
    write(directory.path(), "shared/user.ini", "user_agent=shared\n");
    // As tools for deployment do it.
    symlink(directory.path().join("shared/user.ini"), root.join("linked/.user.ini")).unwrap();
    fs::create_dir(root.join("odd/.user.ini")).unwrap();
    let server = Server::builder(&root).start();
    assert!(page(&server, &Request::get("/show.php")).starts_with(r#"["14","","#));
    assert!(page(&server, &Request::get("/linked/show.php")).starts_with(r#"["14","shared","#));
    assert!(page(&server, &Request::get("/odd/show.php")).starts_with(r#"["14","","#));
}

#[test]
fn a_mistake_in_a_file_costs_that_file_alone() {
    let directory = TemporaryDirectory::new("user-ini");
    write(directory.path(), "show.php", SHOW);
    write(directory.path(), ".user.ini", "precision=10\nuser_agent=(((\n");
    let server = Server::builder(directory.path()).workers(1).start();
    for _ in 0..3 {
        page(&server, &Request::get("/show.php"));
    }
    assert!(server.log().contains(".user.ini"), "{}", server.log());
}

#[test]
fn another_name_and_none() {
    let directory = TemporaryDirectory::new("user-ini");
    write(directory.path(), "show.php", SHOW);
    write(directory.path(), ".user.ini", "precision=10\n");
    write(directory.path(), ".settings", "precision=11\n");
    for (name, expected) in [(".settings", "11"), ("", "14")] {
        let server = Server::builder(directory.path()).ini("user_ini.filename", name).start();
        let page = page(&server, &Request::get("/show.php"));
        assert!(page.starts_with(&format!(r#"["{expected}""#)), "{name}: {page}");
    }
}

#[test]
fn sections_of_php_ini_hold_for_hosts_and_paths() {
    let directory = TemporaryDirectory::new("user-ini");
    let root = directory.path().join("public");
    write(&root, "show.php", SHOW);
    write(&root, "one/show.php", SHOW);
    let one = root.canonicalize().unwrap().join("one");
    let ini = format!("[HOST=example.com]\nuser_agent=host\n[PATH={}]\nfrom=path\n", one.display());
    write(directory.path(), "php.ini", &ini);
    let ini_file = format!("ini_file = {:?}", directory.path().join("php.ini"));
    let server = Server::builder(root.canonicalize().unwrap()).php(&ini_file).start();
    for (host, path, agent, from) in [
        ("example.com", "/one/show.php", "host", "path"),
        ("EXAMPLE.com", "/show.php", "host", ""),
        ("b", "/show.php", "", ""),
    ] {
        let page = page(&server, &Request::get(path).header("Host", host));
        let is_shown = page.contains(&format!(r#","{agent}","#)) && page.contains(&format!(r#","{from}"]"#));
        assert!(is_shown, "{host} {path}: {page}");
    }
}
