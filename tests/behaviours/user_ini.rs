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
    site.many(
        |i| Request::get(if i % 2 == 0 { "/.user.ini" } else { "/one/.user.ini" }),
        |_, response| assert_eq!(response.status, 404),
    );
    // They hold when the content is read: the one takes more than seven bytes, the other does not.
    site.many(
        |i| {
            let path = if i % 2 == 0 { "/one/show.php" } else { "/one/inner/show.php" };
            Request::post(path).form(&[("a", "1"), ("b", "2"), ("c", &*i.to_string())])
        },
        |i, response| assert!(text(response, 200).ends_with(if i % 2 == 0 { " 3 " } else { " 0 " }), "{response:?}"),
    );
}

/// One PHP thread, whose cache is looked at: what is to be seen depends on which request comes first.
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
    let site = Site::below("public", |builder, directory| {
        let root = directory.join("public");
        write(&root, "show.php", SHOW);
        write(&root, "linked/show.php", SHOW);
        write(&root, "odd/show.php", SHOW);
        write(directory, ".user.ini", "precision=10\n");
        write(directory, "shared/user.ini", "user_agent=shared\n");
        // As tools for deployment do it.
        symlink(directory.join("shared/user.ini"), root.join("linked/.user.ini")).unwrap();
        fs::create_dir(root.join("odd/.user.ini")).unwrap();
        builder
    });
    let settings = [
        ("show.php", r#"["14","","0""#),
        ("linked/show.php", r#"["14","shared","0""#),
        ("odd/show.php", r#"["14","","0""#),
    ];
    site.many(
        |i| get(settings[i as usize % 3].0, i),
        |i, response| {
            let page = text(response, 200);
            assert!(page.starts_with(settings[i as usize % 3].1) && page.ends_with(&format!(" {i}")), "{page}");
        },
    );
}

#[test]
fn a_mistake_in_a_file_costs_that_file_alone() {
    let site = Site::with(|builder, root| {
        write(root, "wrong/show.php", SHOW);
        write(root, "wrong/.user.ini", "precision=10\nuser_agent=(((\n");
        write(root, "right/show.php", SHOW);
        write(root, "right/.user.ini", "precision=11\n");
        builder
    });
    site.many(
        |i| get(if i % 2 == 0 { "wrong/show.php" } else { "right/show.php" }, i),
        |i, response| {
            let page = text(response, 200);
            assert!(page.ends_with(&format!(" {i}")), "{page}");
            assert!(i % 2 == 0 || page.starts_with(r#"["11","#), "{page}");
        },
    );
    for log in site.stop() {
        assert!(log.contains("wrong/.user.ini") && !log.contains("right/.user.ini"), "{log}");
    }
}

#[test]
fn another_name_and_none() {
    for (name, expected) in [(".settings", "11"), ("", "14")] {
        let site = Site::with(|builder, root| {
            write(root, "show.php", SHOW);
            write(root, ".user.ini", "precision=10\n");
            write(root, ".settings", "precision=11\n");
            builder.ini("user_ini.filename", name)
        });
        site.many(
            |i| get("show.php", i),
            |i, response| {
                let page = text(response, 200);
                let is_right = page.starts_with(&format!(r#"["{expected}""#)) && page.ends_with(&format!(" {i}"));
                assert!(is_right, "{name}: {page}");
            },
        );
    }
}

#[test]
fn sections_of_php_ini_hold_for_hosts_and_paths() {
    let site = Site::with(|builder, root| {
        write(root, "show.php", SHOW);
        write(root, "one/show.php", SHOW);
        let one = root.canonicalize().unwrap().join("one");
        let ini = format!("[HOST=example.com]\nuser_agent=host\n[PATH={}]\nfrom=path\n", one.display());
        write(root, "php.ini", &ini);
        builder.php(&format!("ini_file = {:?}", root.join("php.ini")))
    });
    let settings = [
        ("example.com", "one/show.php", "host", "path"),
        ("EXAMPLE.com", "show.php", "host", ""),
        ("b", "show.php", "", ""),
        ("b", "one/show.php", "", "path"),
    ];
    site.many(
        |i| {
            let (host, path, ..) = settings[i as usize % 4];
            get(path, i).header("Host", host)
        },
        |i, response| {
            let (page, (host, path, agent, from)) = (text(response, 200), settings[i as usize % 4]);
            let is_shown = page.contains(&format!(r#","{agent}","#)) && page.contains(&format!(r#","{from}"]"#));
            assert!(is_shown && page.ends_with(&format!(" {i}")), "{host} {path}: {page}");
        },
    );
}
