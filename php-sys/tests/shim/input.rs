//! What a script is given: variables, forms, content and uploads.

use std::fs;

use super::check;
use super::support::{Exchange, Php, directory, script_file};

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
