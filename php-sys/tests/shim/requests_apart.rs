//! What one request does to the directory, to settings and to variables is not seen by another.

use std::fs;

use super::support::{Exchange, Php, directory, script_file};

#[test]
fn settings_and_directory_do_not_leak() {
    Php::on_thread(|php| {
        let script = "<?php echo ini_get('precision'), ' ', getcwd(); ini_set('precision', 3); chdir('/');";
        let expected = format!("14 {}", directory().display());
        assert_eq!(php.run(script, Exchange::get("")).body(), expected);
        assert_eq!(php.run(script, Exchange::get("")).body(), expected);
    });
}

/// A script runs in its own directory, its shutdown functions in that of the process.
#[test]
fn directories() {
    let (real, link) = (directory().join("a real one"), directory().join("link"));
    fs::create_dir_all(real.join("sub")).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    fs::write(real.join("sub/included.php"), "<?php echo getcwd(), ' ', __DIR__, \"\\n\"; chdir('sub');").unwrap();
    fs::write(
        real.join("main.php"),
        "<?php register_shutdown_function(function () { echo 'shutdown ', getcwd(); });
        echo getcwd(), ' ', file_exists('main.php') ? 'exists' : '', \"\\n\";
        include './sub/included.php';
        echo getcwd(), ' ', file_exists('included.php') ? 'exists' : '', \"\\n\";
        if (isset($_GET['fatal'])) undefined();",
    )
    .unwrap();
    let process = std::env::current_dir().unwrap();
    let (real, process) = (real.display(), process.display());
    let expected = format!("{real} exists\n{real} {real}/sub\n{real}/sub exists\nshutdown {process}");
    Php::on_thread(|php| {
        for query in ["", "fatal=1", ""] {
            for directory in [real.to_string(), link.display().to_string()] {
                let exchange = php.run_file(&format!("{directory}/main.php"), Exchange::get(query));
                assert_eq!(exchange.body(), expected);
            }
        }
    });
}

#[test]
fn session() {
    Php::on_thread(|php| {
        let script = "<?php session_id('test'); session_start(); echo 'Count: ', $_SESSION['n'] ?? 0;
            $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;";
        let first = php.run(script, Exchange::get(""));
        assert_eq!(first.body(), "Count: 0");
        assert!(first.has_header("Set-Cookie: PHPSESSID=test; path=/"), "{:?}", first.headers);
        assert_eq!(php.run(script, Exchange::get("")).body(), "Count: 1");
        assert_eq!(
            php.run("<?php session_start(); echo $_SESSION['n'] ?? 'other';", Exchange::get("")).body(),
            "other"
        );
    });
}

/// Numbers of one request must not turn up in another.
#[test]
fn threads_do_not_share_requests() {
    let file = script_file(
        "<?php $n = $_GET['n']; function f($x) { static $calls = 0; return $x . ++$calls; }
        header(\"N: $n\"); define('N', $n); echo json_encode([$n, $_POST['n'], N, f('a'), $_SERVER['HTTP_N']]);",
    );
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let file = &file;
            scope.spawn(move || {
                Php::on_thread(|php| {
                    for number in 0..100 {
                        let n = format!("{thread}-{number}");
                        let mut exchange = Exchange::post("application/x-www-form-urlencoded", format!("n={n}"));
                        exchange.query = format!("n={n}");
                        exchange.server.push(("HTTP_N".to_owned(), n.clone()));
                        let exchange = php.run_file(file, exchange);
                        assert_eq!(exchange.body(), format!(r#"["{n}","{n}","{n}","a1","{n}"]"#));
                        assert!(exchange.has_header(&format!("N: {n}")));
                    }
                });
            });
        }
    });
}
