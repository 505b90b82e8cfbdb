//! Time limits: who is told of them, and how a script is ended.

use std::time::Duration;

use super::support::{Exchange, Php, Timers};

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
