//! What a script receives: superglobals, content, and what is refused.

use crate::site::{Site, get, text};
use crate::support::{Json, Multipart, Request};

#[test]
fn server_variables_are_those_of_the_request() {
    let site = Site::start();
    site.many_clients(|client, root, i| {
        let (path, script, path_info) = match i % 3 {
            0 => ("/server.php", "/server.php", String::new()),
            1 => (&*format!("/server.php/baz/b%20t{i}"), "/server.php", format!("/baz/b t{i}")),
            _ => (&*format!("/server.php/a.php/{i}"), "/server.php", format!("/a.php/{i}")),
        };
        let target = format!("{path}?foo=a&bar=%3E&i={i}");
        let request = Request::post(&target)
            .content("text/plain", "foo")
            .header("Host", &format!("{i}.example.com"))
            .header("Authorization", "Basic a2V2aW46cGFzc3dvcmQ=")
            .header("Special-Chars", "<%00>")
            .header("X-Empty", "")
            .header("Content_Type", "text/evil")
            .header("Proxy", "http://evil");
        let root = root.to_str().expect("UTF-8");
        let vars = Json::parse(&client.send(&request).expect(200).text());
        for (name, value) in [
            ("REQUEST_METHOD", "POST"),
            ("REQUEST_URI", &*target),
            ("QUERY_STRING", &format!("foo=a&bar=%3E&i={i}")),
            ("SCRIPT_NAME", script),
            ("SCRIPT_FILENAME", &format!("{root}{script}")),
            ("DOCUMENT_ROOT", root),
            ("DOCUMENT_URI", script),
            ("PATH_INFO", &path_info),
            ("PHP_SELF", &format!("{script}{path_info}")),
            ("CONTENT_TYPE", "text/plain"),
            ("CONTENT_LENGTH", "3"),
            ("HTTP_HOST", &format!("{i}.example.com")),
            ("SERVER_NAME", &format!("{i}.example.com")),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REQUEST_SCHEME", "http"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("HTTP_SPECIAL_CHARS", "<%00>"),
            ("HTTP_X_EMPTY", ""),
            ("HTTP_AUTHORIZATION", "Basic a2V2aW46cGFzc3dvcmQ="),
            ("PHP_AUTH_USER", "kevin"),
            ("PHP_AUTH_PW", "password"),
            ("REQUEST_TIME", "integer"),
            ("REQUEST_TIME_FLOAT", "double"),
        ] {
            assert_eq!(vars[name].as_str(), Some(value), "{name} of {path}");
        }
        // No REMOTE_USER: nobody has checked the password.
        for absent in ["HTTPS", "HTTP_PROXY", "HTTP_CONTENT_TYPE", "argv", "argc", "REMOTE_USER", "PATH", "HOME"] {
            assert_eq!(vars[absent], Json::Null, "{absent}");
        }
    });
}

#[test]
fn a_front_controller_gets_what_does_not_exist() {
    let site = Site::with(|builder, root| {
        std::fs::write(root.join("index.php"), FRONT_CONTROLLER).expect("a written file");
        builder
    });
    site.many(
        |i| Request::get(&format!("/recipes/{i}%20%C3%A4/?q=%2F{i}")),
        |i, response| {
            let expected = format!("/recipes/{i}%20%C3%A4/?q=%2F{i}|/index.php|/index.php||/{i}");
            assert_eq!(text(response, 200), expected);
        },
    );
}

const FRONT_CONTROLLER: &str = "<?php echo implode('|', [$_SERVER['REQUEST_URI'], $_SERVER['SCRIPT_NAME'],
    $_SERVER['PHP_SELF'], $_SERVER['PATH_INFO'] ?? 'none', $_GET['q']]);";

#[test]
fn arguments_are_those_of_the_query_where_they_are_wanted() {
    let site = Site::with(|builder, _| builder.ini("register_argc_argv", "1"));
    site.many(
        |i| Request::get(&format!("/argv.php?{i}+b%20c+d=e")),
        |i, response| assert_eq!(text(response, 200), format!(r#"[["{i}","b%20c","d=e"],3]"#)),
    );
}

#[test]
fn superglobals_hold_what_was_sent() {
    let site = Site::start();
    site.many(
        |i| {
            Request::post(&format!("/superglobals.php?i={i}&a[]=1&a[k]=2&b[c][d]={i}&e.f=1"))
                .form(&[("x", &*i.to_string()), ("y[]", "2"), ("y[z]", "3 +&=")])
                .header("Cookie", &format!("foo=bar; i={i}"))
        },
        |i, response| {
            let expected = format!(
                "{{\"get\":{{\"i\":\"{i}\",\"a\":{{\"0\":\"1\",\"k\":\"2\"}},\"b\":{{\"c\":{{\"d\":\"{i}\"}}}},\"e_f\":\"1\"}},\
                 \"post\":{{\"x\":\"{i}\",\"y\":{{\"0\":\"2\",\"z\":\"3 +&=\"}}}},\
                 \"cookie\":{{\"foo\":\"bar\",\"i\":\"{i}\"}},\"files\":0,\"env\":0}}"
            );
            assert_eq!(text(response, 200), expected);
        },
    );
}

#[test]
fn limits_of_forms_hold() {
    let site = Site::with(|builder, _| builder.ini("max_input_vars", "10").ini("max_input_nesting_level", "3"));
    let many = |name: &str, i: u32| (0..20).map(|n| format!("{name}{n}={i}")).collect::<Vec<_>>().join("&");
    site.many(
        |i| Request::get(&format!("/superglobals.php?{}", many("g", i))),
        |i, response| {
            let page = text(response, 200);
            assert_eq!(page.matches("\"g").count(), 10 + 1, "{page}");
            assert_eq!(page.matches(&format!(":\"{i}\"")).count(), 10, "{page}");
        },
    );
    site.many(
        |i| {
            let form = many("p", i);
            Request::post(&format!("/superglobals.php?a[b][c][d][e]={i}"))
                .content("application/x-www-form-urlencoded", form)
        },
        |i, response| {
            let page = text(response, 200);
            // PHP takes one more from a form than from a query; the other is "post".
            assert_eq!(page.matches("\"p").count(), 11 + 1, "{page}");
            assert_eq!(page.matches(&format!(":\"{i}\"")).count(), 11, "{page}");
            assert!(page.starts_with("{\"get\":[]"), "{page}");
        },
    );
}

#[test]
fn the_request_superglobal_is_never_stale() {
    let site = Site::with(|builder, _| builder.ini("auto_globals_jit", "1"));
    site.many(
        |i| Request::post(&format!("/request.php?i={i}")).form(&[("p", i.to_string())]),
        |i, response| {
            let globals = if i % 2 == 1 { format!("{{\"i\":\"{i}\",\"p\":\"{i}\"}} ") } else { String::new() };
            assert_eq!(text(response, 200), format!("{globals}done"));
        },
    );
}

#[test]
fn cookies_are_read_as_php_reads_them() {
    let site = Site::start();
    for (lines, expected) in [
        (
            &["foo =bar; ===;;==;  .dot.=val  ; PHPSESSID=NUMBER"][..],
            r#"{"foo_":"bar","_dot_":"val  ","PHPSESSID":"NUMBER"}"#,
        ),
        (&["secondCookie=NUMBER; secondCookie=overwritten"], r#"{"secondCookie":"NUMBER"}"#),
        (&["a=1", "a=2; b=NUMBER"], r#"{"a":"1","b":"NUMBER"}"#),
        (&["a=%20+%zzNUMBER; b"], r#"{"a":" +%zzNUMBER","b":""}"#),
    ] {
        site.many(
            |i| {
                let line = |line: &&str| line.replace("NUMBER", &i.to_string());
                let request = Request::get("/superglobals.php");
                lines.iter().map(line).fold(request, |request, line| request.header("Cookie", &line))
            },
            |i, response| {
                let (page, expected) = (text(response, 200), expected.replace("NUMBER", &i.to_string()));
                assert!(page.contains(&format!("\"cookie\":{expected},")), "{page}, wanted {expected}");
            },
        );
    }
}

#[test]
fn content_can_be_read_twice_whatever_the_method() {
    let site = Site::start();
    for method in ["POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "REPORT"] {
        site.many(
            |i| {
                Request::new(method, &format!("/input.php?i={i}"))
                    .content("application/octet-stream", format!("{i}abc"))
            },
            |i, response| {
                let page = text(response, 200);
                let expected = (format!("{method} {} ", i.to_string().len() + 3), " abc same 0");
                assert!(page.starts_with(&*expected.0) && page.ends_with(expected.1), "{page}");
            },
        );
    }
    // More than is kept in memory.
    let large = |i: u32| (0..2_500_000 + i).map(|n| (n % 251) as u8).collect::<Vec<_>>();
    site.many(
        |i| Request::post("/input.php").content("application/octet-stream", large(i)),
        |i, response| {
            let page = text(response, 200);
            assert!(page.starts_with(&format!("POST {} ", 2_500_000 + i)) && page.contains(" same 0"), "{page}");
        },
    );
}

#[test]
fn request_parse_body_reads_forms_of_any_method() {
    let site = Site::start();
    for method in ["PUT", "PATCH", "DELETE"] {
        site.many(
            |i| Request::new(method, &format!("/body.php?i={i}")).form(&[("a", &*i.to_string()), ("b[]", "2")]),
            |i, response| {
                assert_eq!(
                    text(response, 200),
                    format!("{{\"a\":\"{i}\",\"b\":[\"2\"]}} 0  00 {}", 12 + i.to_string().len())
                )
            },
        );
        site.many(
            |i| {
                let form = Multipart::default().text("a", &i.to_string());
                let form = form.file("f", "x", "text/plain", format!("file {i}").as_bytes());
                Request::new(method, &format!("/body.php?i={i}")).multipart(form)
            },
            |i, response| assert_eq!(text(response, 200), format!("{{\"a\":\"{i}\"}} 1 file {i} 00 0")),
        );
    }
    let two = || Multipart::default().file("f", "x", "text/plain", b"1").file("g", "x", "text/plain", b"2");
    site.many(
        |i| Request::new("PUT", &format!("/body.php?files=1&i={i}")).multipart(two()),
        |_, response| {
            assert!(text(response, 200).contains("Maximum number of allowable file uploads"), "{}", response.text());
        },
    );
    site.many(
        |i| Request::new("PUT", "/body.php").content(&format!("text/x{i}"), "a=1"),
        |i, response| {
            assert_eq!(text(response, 200), format!("Content-Type \"text/x{i}\" is not supported"));
        },
    );
    for (_, root) in site.each() {
        assert_eq!(std::fs::read_dir(root.join("uploads")).expect("a directory").count(), 0);
    }
}

#[test]
fn authorization_belongs_to_its_request() {
    let site = Site::start();
    site.many(
        |i| match i % 4 {
            0 => get("auth.php", i),
            // "user:" and "kevin:password".
            1 => get("auth.php", i).header("Authorization", "Basic dXNlcjo="),
            2 => get("auth.php", i).header("Authorization", "basic a2V2aW46cGFzc3dvcmQ="),
            _ => get("auth.php", i).header("Authorization", "Digest username=\"x\""),
        },
        |i, response| {
            let expected = match i % 4 {
                0 => "[null,null,null,null,null]",
                1 => r#"["user",null,null,"Basic dXNlcjo=",null]"#,
                2 => r#"["kevin","password",null,"basic a2V2aW46cGFzc3dvcmQ=",null]"#,
                _ => r#"[null,null,"username=\"x\"","Digest username=\"x\"",null]"#,
            };
            assert_eq!(text(response, 200), expected);
        },
    );
}

#[test]
fn what_is_malformed_is_refused_and_costs_nothing() {
    let site = Site::start();
    let requests: [&[u8]; 12] = [
        b"POST /input.php HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /input.php HTTP/1.1\r\nHost: a\r\nContent-Length: something\r\n\r\n",
        b"GET /hello.php%00.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hello.php\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hello.php HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET /hello.php HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /hello.php HTTP/1.1\r\n\r\n",
        b"GET /hello.php HTTP/9.9\r\nHost: a\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"POST /input.php HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
    ];
    site.many_that_leave(|server, _, i| {
        let follower = b"GET /hello.php?i=smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        // Each of them while others send other ones.
        let request = requests[i as usize % requests.len()];
        let answer = server.raw([request, follower].concat());
        let answer = String::from_utf8_lossy(&answer);
        let shown = String::from_utf8_lossy(request);
        assert!(answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505 "), "{shown}: {answer}");
        assert!(!answer.contains("root:"), "{shown}: {answer}");
    });
    site.many(|i| get("hello.php", i), |i, response| assert_eq!(text(response, 200), format!("I am request {i}")));
}
