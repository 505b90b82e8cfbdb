//! The shim against the real libphp: what scripts see and what the server is told, without a server.
#![allow(unsafe_code, reason = "these tests are the callers of a C interface")]
#![allow(missing_docs, clippy::unwrap_used, dead_code, reason = "tests")]

mod support;

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use php_sys::ephpm_outcome;
use support::{Exchange, Php, Timers, directory, script_file};

/// Runs `script` alone on a thread, and then whether that thread still serves.
fn check(script: &str, exchange: Exchange) -> Exchange {
    Php::on_thread(|php| {
        let exchange = php.run(script, exchange);
        let after = php.run("<?php echo 'alive ', $_GET['n'], http_response_code();", Exchange::get("n=7"));
        assert_eq!(after.body(), "alive 7200");
        exchange
    })
}

fn get(script: &str) -> Exchange {
    check(script, Exchange::get(""))
}

#[test]
fn hello() {
    let exchange = check("<?php echo \"Hello, {$_GET['name']}!\";", Exchange::get("name=World"));
    assert_eq!(exchange.body(), "Hello, World!");
    assert_eq!(exchange.status, 200);
    assert_eq!(exchange.status_line, "");
    assert!(exchange.has_header("Content-type: text/html; charset=UTF-8"), "{:?}", exchange.headers);
    assert!(exchange.log.is_empty(), "{:?}", exchange.log);
}

#[test]
fn php_tells_our_name() {
    let exchange = get("<?php echo PHP_SAPI, ' ', php_sapi_name(), ' ', phpversion('ephpm'), ' ', PHP_BINARY;");
    let program = std::env::current_exe().unwrap();
    assert_eq!(exchange.body(), format!("ephpm ephpm 1.2.3 {}", program.display()));
}

#[test]
fn server_variables() {
    let script = "<?php foreach (['REQUEST_METHOD', 'REQUEST_URI', 'QUERY_STRING', 'HTTP_X', 'EMPTY', 'ONE',
        'PHP_AUTH_USER', 'PHP_AUTH_PW', 'REQUEST_TIME', 'REQUEST_TIME_FLOAT', 'argv'] as $name) {
            echo $name, '=', var_export($_SERVER[$name] ?? null, true), \"\\n\";
        }
        echo getenv('HTTP_X'), var_export(getenv('HTTP_PROXY'), true);";
    let mut exchange = Exchange::get("a=1&b=%20");
    exchange.authorization = Some("Basic a2V2aW46cGFzc3dvcmQ=".to_owned());
    exchange.server = [("HTTP_X", "value"), ("EMPTY", ""), ("ONE", "1"), ("HTTP_PROXY", "evil")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    assert_eq!(
        check(script, exchange).body(),
        "REQUEST_METHOD='GET'\nREQUEST_URI='/?a=1&b=%20'\nQUERY_STRING='a=1&b=%20'\nHTTP_X='value'\nEMPTY=''\n\
         ONE='1'\nPHP_AUTH_USER='kevin'\nPHP_AUTH_PW='password'\nREQUEST_TIME=1700000000\n\
         REQUEST_TIME_FLOAT=1700000000.25\nargv=array (\n  0 => 'a=1&b=%20',\n)\nvaluefalse"
    );
}

/// The server makes them when it is asked, which a script that does not look should not cost it. What else is told of a
/// request (forms, cookies, credentials, directories' settings that were read before) takes none of them.
#[test]
fn server_variables_only_for_scripts_that_ask() {
    Php::on_thread(|php| {
        let asked = |script: &str| {
            let mut exchange = Exchange::post("application/x-www-form-urlencoded", "a=1");
            exchange.query = "b=2".to_owned();
            exchange.cookie = Some("c=3".to_owned());
            exchange.authorization = Some("Basic a2V2aW46cGFzc3dvcmQ=".to_owned());
            exchange.server.push(("HTTP_X".to_owned(), "42".to_owned()));
            let exchange = php.run(&format!("<?php {script}"), exchange);
            (exchange.asked > 0, exchange.body().to_owned())
        };
        let known = "echo json_encode([$_POST, $_GET, $_COOKIE, $_REQUEST, __DIR__ !== '']);";
        // The first may ask for the directory's .user.ini.
        asked(known);
        let told = r#"[{"a":"1"},{"b":"2"},{"c":"3"},{"b":"2","a":"1"},true]"#;
        assert_eq!(asked(known), (false, told.to_owned()));
        for script in [
            "echo $_SERVER['HTTP_X'];",
            "echo getenv('HTTP_X');",
            "echo filter_input(INPUT_SERVER, 'HTTP_X');",
            "echo getallheaders()['X'];",
            "register_shutdown_function(fn() => print($_SERVER['HTTP_X']));",
            "eval('echo $_SERVER[\"HTTP_X\"];');",
        ] {
            assert_eq!(asked(script), (true, "42".to_owned()), "{script}");
        }
    });
}

/// Usual names are strings that were made before, at places that are remembered; all others are made anew. Nobody is to
/// see which is which, whatever the request before had where.
#[test]
fn server_variables_whatever_stood_before() {
    let usual = ["HTTP_HOST", "HTTP_ACCEPT", "HTTP_COOKIE", "REMOTE_ADDR", "HTTPS"].map(str::to_owned).to_vec();
    let others = ["HTTP_HOS", "HTTP_HOSTS", "HTTP_X", "7", "HTTPs"].map(str::to_owned).to_vec();
    let many: Vec<_> = (0..60).map(|n| format!("HTTP_X_{n}")).chain(usual.clone()).collect();
    let mixed: Vec<_> = others.iter().zip(&usual).flat_map(|(other, usual)| [other, usual]).cloned().collect();
    let reversed = mixed.iter().rev().cloned().collect();
    let script = script_file(
        "<?php foreach ($_SERVER as $name => $value) { echo $name, is_int($name) ? ' (int)=' : '=', $value, \"\\n\"; }
        $_SERVER['HTTP_HOST'] .= ' changed'; $a = [$_SERVER]; unset($_SERVER['HTTPS']);",
    );
    Php::on_thread(|php| {
        for (round, names) in [&usual, &others, &mixed, &many, &reversed, &mixed, &usual, &many].into_iter().enumerate()
        {
            let mut exchange = Exchange::get("");
            exchange.server = names.iter().map(|name| (name.clone(), format!("{name} {round}"))).collect();
            let told: String = exchange
                .server
                .iter()
                .map(|(name, value)| format!("{name}{}={value}\n", if name == "7" { " (int)" } else { "" }))
                .collect();
            let exchange = php.run_file(&script, exchange);
            let body = exchange.body();
            assert!(body.contains(&format!("SCRIPT_NAME=/index.php\n{told}")), "{round}: {body}");
        }
    });
}

#[test]
fn authorization_does_not_outlive_its_request() {
    Php::on_thread(|php| {
        let script = "<?php echo $_SERVER['PHP_AUTH_USER'] ?? 'nobody';";
        let mut exchange = Exchange::get("");
        exchange.authorization = Some("Basic a2V2aW46cGFzc3dvcmQ=".to_owned());
        assert_eq!(php.run(script, exchange).body(), "kevin");
        assert_eq!(php.run(script, Exchange::get("")).body(), "nobody");
    });
}

#[test]
fn filter_input_sees_server_variables() {
    let script = "<?php var_dump(filter_has_var(INPUT_SERVER, 'HTTP_X'), filter_has_var(INPUT_SERVER, 'HTTP_Y'),
        filter_input(INPUT_SERVER, 'HTTP_X', FILTER_VALIDATE_INT), filter_input(INPUT_GET, 'a'));
        $_SERVER['HTTP_X'] = 'changed';
        echo filter_input_array(INPUT_SERVER)['HTTP_X'];";
    let mut exchange = Exchange::get("a=1");
    exchange.server.push(("HTTP_X".to_owned(), "42".to_owned()));
    assert_eq!(check(script, exchange).body(), "bool(true)\nbool(false)\nint(42)\nstring(1) \"1\"\n42");
}

#[test]
fn form() {
    let script = "<?php echo json_encode([$_POST, $_GET, $_REQUEST, $_COOKIE]);";
    let mut exchange = Exchange::post("application/x-www-form-urlencoded", "a[]=1&a[k]=2&b=x+y");
    exchange.query = "q=1".to_owned();
    exchange.cookie = Some("foo =bar; .dot.=val; twice=first; twice=second".to_owned());
    assert_eq!(
        check(script, exchange).body(),
        r#"[{"a":{"0":"1","k":"2"},"b":"x y"},{"q":"1"},{"q":"1","a":{"0":"1","k":"2"},"b":"x y"},{"foo_":"bar","_dot_":"val","twice":"first"}]"#
    );
}

/// More than one block of SAPI_POST_BLOCK_SIZE, given in pieces that do not divide it.
#[test]
fn content_is_read_to_its_end() {
    let script = "<?php echo strlen(file_get_contents('php://input')), ' ', md5(file_get_contents('php://input'));";
    for method in ["POST", "PUT"] {
        let content: Vec<u8> = (0..100_001_u32).map(|n| (n * 7 % 251) as u8).collect();
        let mut exchange = Exchange::post("application/octet-stream", content);
        exchange.method = method;
        exchange.read_most = 1000;
        assert_eq!(check(script, exchange).body(), "100001 a0d5791aa213355dd860ad5f1ee346eb");
    }
}

#[test]
fn unread_content_is_left_alone() {
    let mut exchange = Exchange::post("application/json", vec![b' '; 100_000]);
    exchange.method = "PUT";
    assert_eq!(check("<?php echo 'ok';", exchange).body(), "ok");
}

#[test]
fn upload_is_there_and_then_gone() {
    let content = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\
                   \r\n\r\nHello file\r\n--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--\r\n";
    for ending in ["", "exit(1);", "undefined();", "throw new Exception('no');"] {
        let script = format!(
            "<?php echo $_FILES['f']['name'], ' ', file_get_contents($_FILES['f']['tmp_name']), ' ', $_POST['x'];
            {ending}"
        );
        let exchange = check(&script, Exchange::post("multipart/form-data; boundary=b", content));
        assert_eq!(exchange.body(), "a.txt Hello file 1");
    }
    // PHP keeps large content of other tests in the same directory.
    let files = fs::read_dir(directory().join("uploads")).unwrap();
    let left = files.filter(|file| fs::read(file.as_ref().unwrap().path()).is_ok_and(|bytes| bytes == b"Hello file"));
    assert_eq!(left.count(), 0, "uploaded files are left behind");
}

#[test]
fn exit_ends_the_script_only() {
    let script = "<?php register_shutdown_function(function () { echo ' shutdown'; });
        class D { function __destruct() { echo ' destructor'; } } $d = new D; echo 'before'; exit('!'); echo 'after';";
    let exchange = get(script);
    assert_eq!(exchange.body(), "before! shutdown destructor");
    assert_eq!(exchange.status, 200);
}

#[test]
fn fatal_error_answers_500() {
    let exchange = get("<?php register_shutdown_function(function () { echo 'shutdown'; }); undefined_function();");
    assert_eq!(exchange.status, 500);
    assert_eq!(exchange.body(), "shutdown");
    assert_eq!(exchange.log.len(), 1, "{:?}", exchange.log);
    assert!(exchange.log[0].1.starts_with("PHP Fatal error:  Uncaught Error: Call to undefined function"));
    assert_eq!(exchange.log[0].0, 3, "syslog's LOG_ERR");
}

#[test]
fn uncaught_exception_is_shown_when_errors_are() {
    let exchange = get("<?php ini_set('display_errors', 1); echo 'hello'; throw new Exception('request 5');");
    assert_eq!(exchange.status, 200);
    assert!(exchange.body().starts_with("hello"), "{}", exchange.body());
    assert!(exchange.body().contains("Uncaught Exception: request 5"), "{}", exchange.body());
}

#[test]
fn parse_error_and_missing_script_answer_500() {
    assert_eq!(get("<?php this is not PHP").status, 500);
    Php::on_thread(|php| {
        let exchange = php.run_file("/nonexistent/script.php", Exchange::get(""));
        assert_eq!(exchange.outcome, ephpm_outcome::EPHPM_OK);
        assert_eq!(exchange.status, 500);
    });
}

#[test]
fn headers_and_status() {
    let script = "<?php http_response_code(201); header('Foo: bar'); header('Foo3:bar3'); header('Invalid');
        header('Set-Cookie: a=1', false); header('Set-Cookie: b=2', false); header_remove('X-Powered-By');
        echo json_encode(apache_response_headers());";
    let exchange = get(script);
    assert_eq!(exchange.status, 201);
    assert_eq!(
        exchange.headers,
        [
            "Foo: bar",
            "Foo3:bar3",
            "Invalid",
            "Set-Cookie: a=1",
            "Set-Cookie: b=2",
            "Content-type: text/html; charset=UTF-8"
        ]
    );
    assert_eq!(exchange.body(), r#"{"Foo":"bar","Foo3":"bar3","Set-Cookie":"b=2"}"#);
}

#[test]
fn status_line() {
    let exchange = get("<?php header(\"HTTP/1.1 418 I'm a teapot\");");
    assert_eq!((exchange.status, &*exchange.status_line), (418, "HTTP/1.1 418 I'm a teapot"));
    let exchange = get("<?php header('HTTP/');");
    assert_eq!((exchange.status, &*exchange.status_line), (200, "HTTP/"));
}

#[test]
fn interim_heads() {
    let exchange = get("<?php header('Link: </a.css>; rel=preload'); header('X-A: 1'); header_remove('X-Powered-By');
        var_dump(headers_send(103)); header_remove('Link'); http_response_code(201); echo 'body';
        foreach ([101, 0, 600] as $status) { try { headers_send($status); } catch (ValueError) { echo '!'; } }
        flush(); var_dump(headers_send(103));");
    assert_eq!(exchange.interim, [(103, vec!["Link: </a.css>; rel=preload".to_owned(), "X-A: 1".to_owned()])]);
    assert_eq!((exchange.status, &*exchange.headers[0], exchange.headers.len()), (201, "X-A: 1", 2));
    assert_eq!(exchange.body(), "int(1)\nbody!!!int(3)\n");
    let exchange = get("<?php header('X-A: 1'); headers_send(202); var_dump(headers_sent());");
    assert_eq!((exchange.status, exchange.body()), (202, "bool(true)\n"));
}

/// Output in the callback sends the headers while they are being sent.
#[test]
fn header_callback_may_write() {
    for buffering in ["", "ob_end_clean();"] {
        let exchange = get(&format!(
            "<?php {buffering} header_register_callback(function () {{ header('From: callback'); echo 'x'; }}); echo 'y';"
        ));
        assert_eq!(exchange.status, 200);
        assert!(exchange.has_header("From: callback"), "{:?}", exchange.headers);
        assert_eq!(exchange.body(), "xy");
    }
}

#[test]
fn phpinfo_is_html_and_has_our_name() {
    let exchange = get("<?php phpinfo();");
    assert!(exchange.body().contains("<tr><td class=\"e\">Server API </td><td class=\"v\">ePHPm </td></tr>"));
}

#[test]
fn more_headers_than_fit_on_the_stack() {
    let exchange = get("<?php for ($i = 0; $i < 500; $i++) header(\"X-$i: $i\");");
    assert!(exchange.has_header("X-0: 0") && exchange.has_header("X-499: 499"));
}

#[test]
fn request_headers() {
    let mut exchange = Exchange::get("");
    exchange.server = [("HTTP_X_FOO_BAR", "1"), ("CONTENT_TYPE", "a/b"), ("HTTP_HOST", "h")]
        .map(|(n, v)| (n.into(), v.into()))
        .to_vec();
    let exchange = check("<?php echo json_encode([getallheaders(), apache_request_headers()]);", exchange);
    let headers = r#"{"X-Foo-Bar":"1","Content-Type":"a\/b","Host":"h"}"#;
    assert_eq!(exchange.body(), format!("[{headers},{headers}]"));
}

#[test]
fn flush_before_output_sends_the_headers() {
    let exchange = get("<?php flush(); echo 'a'; ob_flush(); flush(); echo 'b';");
    assert_eq!(exchange.flushes, [0, 1]);
    assert_eq!(exchange.body(), "ab");
}

#[test]
fn big_output() {
    let exchange = get("<?php for ($i = 0; $i < 100000; $i++) echo $i % 10;");
    assert_eq!(exchange.body.len(), 100_000);
    assert!(exchange.body.iter().enumerate().all(|(i, byte)| usize::from(byte - b'0') == i % 10));
}

#[test]
fn finish_request() {
    for function in ["fastcgi_finish_request", "ephpm_finish_request"] {
        let script = format!(
            "<?php echo 'seen'; var_dump({function}()); echo 'not seen'; flush();
            error_log('after ' . connection_status() . ' ' . var_export({function}(), true));"
        );
        let exchange = get(&script);
        assert_eq!(exchange.body(), "seen");
        assert_eq!(exchange.finished, Some(4));
        assert_eq!(exchange.log.len(), 1, "{:?}", exchange.log);
        assert_eq!(exchange.log[0].1, "after 0 false");
    }
}

#[test]
fn abort_ends_the_script_and_runs_its_shutdown_functions() {
    let script = "<?php register_shutdown_function(function () { error_log('status ' . connection_status()); });
        for ($i = 0; $i < 1000; $i++) { echo 'x'; ob_flush(); flush(); } error_log('never');";
    let exchange = check(script, Exchange::aborting(10));
    assert_eq!(exchange.body(), "xxxxxxxxxx");
    assert_eq!(exchange.log.len(), 1, "{:?}", exchange.log);
    assert_eq!(exchange.log[0].1, "status 1");
}

#[test]
fn abort_can_be_ignored_and_asked_for() {
    let script = "<?php ignore_user_abort(true); error_log('before ' . connection_aborted());
        for ($i = 0; $i < 1000; $i++) { echo 'x'; ob_flush(); flush(); } error_log('after ' . connection_aborted());";
    let exchange = check(script, Exchange::aborting(10));
    assert_eq!(exchange.body(), "xxxxxxxxxx");
    let messages: Vec<_> = exchange.log.iter().map(|(_, message)| &**message).collect();
    assert_eq!(messages, ["before 0", "after 1"]);
}

#[test]
fn abort_is_noticed_without_a_write() {
    let exchange = check("<?php error_log('status ' . connection_status());", Exchange::aborting(0));
    assert_eq!(exchange.log[0].1, "status 1");
}

#[test]
fn abort_in_the_last_output() {
    let exchange = check("<?php echo 'buffered';", Exchange::aborting(0));
    assert_eq!(exchange.body(), "buffered");
}

#[test]
fn error_log_arrives_once_and_whole() {
    let exchange = get("<?php error_log(\"request 8\\nsecond line\"); trigger_error('careful', E_USER_WARNING);");
    assert_eq!(exchange.log.len(), 2, "{:?}", exchange.log);
    assert_eq!(exchange.log[0].1, "request 8\nsecond line");
    assert!(exchange.log[1].1.starts_with("PHP Warning:  careful in "), "{:?}", exchange.log);
    assert_eq!(exchange.log[1].0, 4, "syslog's LOG_WARNING");
}

#[test]
fn memory_limit() {
    let exchange = get("<?php ini_set('memory_limit', '8M'); $a = []; while (true) $a[] = str_repeat('x', 10000);");
    assert_eq!(exchange.status, 500);
    assert!(exchange.log[0].1.contains("Allowed memory size of 8388608 bytes exhausted"), "{:?}", exchange.log);
}

/// PHP parses a form before the script begins. A thread's very first request must be able to fail there.
#[test]
fn form_that_exceeds_the_memory_limit() {
    let content = [b"p=", &vec![b'x'; 20_000_000][..]].concat();
    let file = script_file("<?php echo 'never';");
    for _ in 0..10 {
        let exchange = Php::on_thread(|php| {
            php.run_file(&file, Exchange::post("application/x-www-form-urlencoded", content.clone()))
        });
        assert_eq!(exchange.outcome, ephpm_outcome::EPHPM_STARTUP_FAILED);
        assert_eq!((exchange.status, exchange.body()), (500, ""));
        assert!(exchange.log[0].1.contains("Allowed memory size"), "{:?}", exchange.log);
    }
}

#[test]
fn deep_recursion_is_an_error_of_php() {
    // SAFETY: no precondition.
    if unsafe { php_sys::ephpm_describe() }.version_id < 80300 {
        // Before 8.3 PHP does not look after its stack: the process ends.
        return;
    }
    let exchange = get("<?php ini_set('memory_limit', -1); function f($x) { return array_map('f', [$x]); } f(1);");
    assert_eq!(exchange.status, 500);
    assert!(exchange.log[0].1.contains("Maximum call stack size of"), "{:?}", exchange.log);
}

/// What the linker is told in `build.rs` has reached this program.
#[test]
fn time_limits_are_for_the_owner() {
    // SAFETY: no precondition.
    assert!(unsafe { php_sys::ephpm_describe() }.set_timeout);
}

#[test]
fn owner_is_told_the_time_limit() {
    Php::on_thread(|php| {
        let limits = |script: &str| {
            let exchange = php.run(script, Exchange::get(""));
            (exchange.body().to_owned(), php.limits())
        };
        let (body, told) = limits("<?php echo ini_get('max_execution_time');");
        assert_eq!((&*body, &*told), ("30", &[(30, 2), (0, 2)][..]));

        let (body, told) = limits("<?php set_time_limit(300); echo ini_get('max_execution_time');");
        assert_eq!((&*body, &*told), ("300", &[(30, 2), (0, 2), (300, 2), (0, 2), (0, 2)][..]));

        let (body, told) = limits("<?php echo ini_set('max_execution_time', 0), ini_get('max_execution_time');");
        assert_eq!((&*body, &*told), ("300", &[(30, 2), (0, 2), (0, 2), (0, 2), (0, 2)][..]));

        // The setting of one script is not the next one's.
        assert_eq!(limits("<?php").1, [(30, 2), (0, 2)]);
    });
}

/// A limit that is over before it is lifted, or set anew, is over no more.
#[test]
fn setting_a_limit_clears_what_was_told() {
    Php::on_thread(|php| {
        // SAFETY: the thread is attached.
        let fire = || unsafe { php_sys::ephpm_interrupt_fire(&php.interrupt) };
        // SAFETY: as above.
        let is_pending = || unsafe { php_sys::ephpm_interrupt_is_pending(&php.interrupt) };
        fire();
        assert!(is_pending());
        assert_eq!(php.run("<?php echo 'Hello';", Exchange::get("")).body(), "Hello");
        assert!(!is_pending());
    });
}

/// A thread without an owner has PHP's own timers.
#[test]
fn time_limit_by_php() {
    Php::on_thread_with(Timers::Php, |php| {
        let exchange = php.run("<?php set_time_limit(1); while (true);", Exchange::get(""));
        assert_eq!(exchange.status, 500);
        assert!(exchange.log[0].1.contains("Maximum execution time of 1 second exceeded"), "{:?}", exchange.log);
        assert_eq!(php.limits(), []);
        assert_eq!(php.run("<?php echo 'alive';", Exchange::get("")).body(), "alive");
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

#[test]
fn opcache_is_on_and_hits() {
    Php::on_thread(|php| {
        let file = script_file(
            "<?php $s = opcache_get_status(false); echo is_array($s), ' ',
            var_export($s['opcache_enabled'], true), ' ', $s['opcache_statistics']['hits'];",
        );
        let hits = |exchange: Exchange| {
            let (enabled, hits) = exchange.body().rsplit_once(' ').unwrap();
            assert_eq!(enabled, "1 true");
            hits.parse::<u64>().unwrap()
        };
        php.run_file(&file, Exchange::get(""));
        let before = hits(php.run_file(&file, Exchange::get("")));
        let after = hits(php.run_file(&file, Exchange::get("")));
        assert!(after > before, "{before} hits, then {after}");
    });
    // SAFETY: no precondition.
    assert!(unsafe { php_sys::ephpm_describe() }.opcache);
}

#[test]
fn ini_precedence() {
    let script =
        "<?php echo ini_get('output_buffering'), ' ', ini_get('display_errors'), ' ', ini_get('opcache.enable'),
        ' ', var_export(php_ini_loaded_file(), true);";
    assert_eq!(get(script).body(), "4096 0 1 false");
}

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
fn extensions_are_listed() {
    support::start();
    // SAFETY: PHP runs; nothing is written where the capacity is 0.
    let len = unsafe { php_sys::ephpm_extensions(std::ptr::null_mut(), 0) };
    let empty = php_sys::ephpm_extension { name: std::ptr::null(), version: std::ptr::null() };
    let mut extensions = vec![empty; len];
    // SAFETY: PHP runs; there is room for `len` extensions.
    let again = unsafe { php_sys::ephpm_extensions(extensions.as_mut_ptr(), len) };
    assert_eq!(again, len);
    let name = |extension: &php_sys::ephpm_extension| {
        // SAFETY: the string lives while PHP runs.
        unsafe { std::ffi::CStr::from_ptr(extension.name) }.to_str().unwrap()
    };
    let names: HashSet<_> = extensions.iter().map(name).collect();
    for name in ["Core", "standard", "ephpm", "Zend OPcache"] {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
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

#[test]
fn interrupt_ends_a_loop_and_a_sleep() {
    for script in ["<?php while (true);", "<?php sleep(60); while (true);"] {
        Php::on_thread(|php| {
            let interrupt = php.interrupt.thread;
            let handle = SendInterrupt(php.interrupt);
            std::thread::scope(|scope| {
                let (done, waiter) = std::sync::mpsc::channel::<()>();
                scope.spawn(move || {
                    let handle = handle;
                    // Again and again, since the first may come before the script runs.
                    while waiter
                        .recv_timeout(Duration::from_millis(20))
                        .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Timeout)
                    {
                        // SAFETY: the thread is attached until this scope has ended.
                        unsafe { php_sys::ephpm_interrupt_fire(&handle.0) };
                    }
                });
                let exchange = php.run(script, Exchange::get(""));
                drop(done);
                assert_eq!(exchange.status, 500);
                assert!(exchange.log[0].1.contains("Maximum execution time of"), "{:?}", exchange.log);
            });
            assert_ne!(interrupt, 0);
        });
    }
}

struct SendInterrupt(php_sys::ephpm_interrupt);

// SAFETY: that another thread uses it is what it is for.
unsafe impl Send for SendInterrupt {}
