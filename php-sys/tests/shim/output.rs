//! What a script gives: status, header fields, interim heads, output, and when each of them leaves.

use super::get;

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
fn more_headers_than_fit_on_the_stack() {
    let exchange = get("<?php for ($i = 0; $i < 500; $i++) header(\"X-$i: $i\");");
    assert!(exchange.has_header("X-0: 0") && exchange.has_header("X-499: 499"));
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
