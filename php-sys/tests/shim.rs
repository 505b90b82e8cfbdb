//! The shim against the real libphp, without a server: here what PHP says of itself, in the modules what scripts see and what
//! the server is told.
#![allow(unsafe_code, reason = "these tests are the callers of a C interface")]
#![allow(missing_docs, clippy::unwrap_used, dead_code, reason = "tests")]

#[path = "shim/endings.rs"]
mod endings;
#[path = "shim/input.rs"]
mod input;
#[path = "shim/output.rs"]
mod output;
#[path = "shim/requests_apart.rs"]
mod requests_apart;
mod support;
#[path = "shim/time_limits.rs"]
mod time_limits;

use std::collections::HashSet;

use support::{Exchange, Php, script_file};

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
fn phpinfo_is_html_and_has_our_name() {
    let exchange = get("<?php phpinfo();");
    assert!(exchange.body().contains("<tr><td class=\"e\">Server API </td><td class=\"v\">ePHPm </td></tr>"));
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
