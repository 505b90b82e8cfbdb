//! From start to stop, in a process of its own: PHP can be started once.
#![allow(unsafe_code, reason = "these tests are the callers of a C interface")]
#![allow(missing_docs, dead_code, reason = "tests")]

mod support;

use php_sys::{ephpm_shutdown, ephpm_startup_result};
use support::{Exchange, Php, Timers};

#[test]
fn starts_serves_and_stops() {
    assert_eq!(support::start_here(), ephpm_startup_result::EPHPM_STARTUP_OK, "{:?}", support::startup_log());
    assert!(support::startup_log().is_empty(), "{:?}", support::startup_log());
    for _ in 0..3 {
        let exchange = Php::on_started(Timers::Kept, |php| php.run("<?php echo PHP_VERSION_ID;", Exchange::get("")));
        // SAFETY: no precondition.
        let version_id = unsafe { php_sys::ephpm_describe() }.version_id;
        assert_eq!(exchange.body(), version_id.to_string());
    }
    // SAFETY: this thread started PHP, and the threads above have ended.
    unsafe { ephpm_shutdown() };
}
