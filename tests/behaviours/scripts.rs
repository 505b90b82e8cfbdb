//! Running scripts at all.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::site::{Site, get, text};
use crate::support::Request;

#[test]
fn a_script_answers_with_its_output() {
    let site = Site::start();
    site.many(
        |i| get("hello.php", i),
        |i, response| {
            assert_eq!(text(response, 200), format!("I am request {i}"));
            assert_eq!(response.header("Content-Type"), Some("text/html; charset=UTF-8"));
        },
    );
    site.many(|_| Request::get("/hello.php"), |_, response| assert_eq!(text(response, 200), "i not set"));
}

#[test]
fn settings_are_the_configured_ones_and_ini_set_lasts_one_request() {
    let site = Site::with(|builder, _| builder.ini("memory_limit", "77M").php("max_execution_time = 60"));
    site.many(
        |i| get("ini.php?key=memory_limit", i),
        |i, response| {
            let third = format!("0.{}", "3".repeat(5 + (i % 7) as usize));
            assert_eq!(text(response, 200), format!("77M 14 {third}"));
        },
    );
    site.many(
        |i| get("ini.php?key=max_execution_time", i),
        |_, response| assert!(text(response, 200).starts_with("60 "), "{}", response.text()),
    );
}

#[test]
fn a_php_ini_may_name_variables_of_the_environment() {
    let site = Site::with(|builder, root| {
        std::fs::write(root.join("php.ini"), "memory_limit = ${EPHPM_TEST_MEMORY}\n").expect("a written file");
        builder.php(&format!("ini_file = {:?}", root.join("php.ini"))).environment("EPHPM_TEST_MEMORY", "77M")
    });
    site.many(
        |i| get("ini.php?key=memory_limit", i),
        |_, response| assert!(text(response, 200).starts_with("77M "), "{}", response.text()),
    );
}

#[test]
fn phpinfo_is_html() {
    let site = Site::start();
    site.many(
        |i| get("info.php", i),
        |i, response| {
            let page = text(response, 200);
            assert!(page.starts_with("<!DOCTYPE html") && page.contains("ePHPm"), "{page}");
            assert!(page.contains(&format!("?i={i}<")), "no i={i} in {page}");
        },
    );
}

#[test]
fn relative_paths_start_at_the_script_and_classes_load() {
    let site = Site::start();
    site.many(
        |i| get("autoload.php", i),
        |i, response| assert_eq!(text(response, 200), format!("Hello {i}, 1 library here")),
    );
}

#[test]
fn output_in_single_bytes_is_exact() {
    let site = Site::start();
    let mut expected = b"0123456789".repeat(10_000);
    expected.extend(0..=255);
    site.many(
        |i| get("bytes.php", i),
        |i, response| assert!(response.content.strip_prefix(&expected[..]) == Some(i.to_string().as_bytes()), "{i}"),
    );
}

#[test]
fn fibers_run() {
    let site = Site::start();
    site.many(
        |i| get("fiber.php", i),
        |i, response| assert_eq!(text(response, 200), format!("Fiber {i} resumed returned")),
    );
}

#[test]
fn a_preloaded_function_is_there() {
    let site = Site::with(|builder, root| {
        let file = root.join("preload.php");
        // PHP preloads as root only if it is told so.
        builder.ini("opcache.preload", file.to_str().expect("UTF-8")).ini("opcache.preload_user", "root")
    });
    // OPcache is what preloads.
    let is_preloaded = AtomicU32::new(0);
    site.many(
        |i| get("preloaded.php", i),
        |i, response| match &*text(response, 200) {
            page if page == format!("OPcache: I am preloaded {i}") => {
                is_preloaded.fetch_add(1, Ordering::Relaxed);
            }
            page => assert_eq!(page, format!("no OPcache: nothing is preloaded {i}")),
        },
    );
    assert_eq!(is_preloaded.into_inner(), 101);
}

#[test]
fn error_log_writes_one_record() {
    let site = Site::start();
    site.many(|i| get("log.php", i), |_, response| assert_eq!(text(response, 200), "logged"));
    for log in site.stop() {
        for i in 0..=100 {
            assert_eq!(log.matches(&format!("request {i} once")).count(), 1, "{i}\n{log}");
            assert_eq!(log.matches(&format!("two\\nlines of {i}.")).count(), 1, "{i}\n{log}");
        }
    }
}
