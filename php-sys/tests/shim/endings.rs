//! How a script may end: by itself, by an error, because its client has left, or for want of memory.

use php_sys::ephpm_outcome;

use super::support::{Exchange, Php, script_file};
use super::{check, get};

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
fn error_log_arrives_once_and_whole() {
    let exchange = get("<?php error_log(\"request 8\\nsecond line\"); trigger_error('careful', E_USER_WARNING);");
    assert_eq!(exchange.log.len(), 2, "{:?}", exchange.log);
    assert_eq!(exchange.log[0].1, "request 8\nsecond line");
    assert!(exchange.log[1].1.starts_with("PHP Warning:  careful in "), "{:?}", exchange.log);
    assert_eq!(exchange.log[1].0, 4, "syslog's LOG_WARNING");
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
