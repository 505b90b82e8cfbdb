//! Signals. They are blocked in every thread and taken one at a time by the one that waits for them, so no handler
//! ever runs and nothing has to be async-signal-safe.
#![allow(unsafe_code, reason = "system calls")]

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use super::check;

/// What the operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT or SIGQUIT: stop.
    Stop,
    /// SIGUSR1: open log files again.
    ReopenLogs,
}

const STOP: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];

/// Blocks the signals that [`wait`] takes, in this thread and in those that it will start, and ignores SIGPIPE: a
/// peer that is gone is an error of the write.
pub fn block() -> io::Result<()> {
    let set = signal_set();
    // SAFETY: `set` is initialised; a null old set is allowed.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => {}
        error => return Err(io::Error::from_raw_os_error(error)),
    }
    // SAFETY: SIG_IGN is a valid disposition and installs no handler.
    if unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits for a signal, for at most `timeout`.
pub fn wait(timeout: Option<Duration>) -> io::Result<Option<Signal>> {
    let set = signal_set();
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the set is initialised, a null siginfo and a null timeout are allowed, and a timeout lives in this frame.
    match check(unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), timeout) }) {
        Ok(libc::SIGUSR1) => Ok(Some(Signal::ReopenLogs)),
        Ok(_) => Ok(Some(Signal::Stop)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn signal_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set before sigaddset and the caller use it; the numbers are valid signals.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in STOP {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::sigaddset(set.as_mut_ptr(), libc::SIGUSR1);
        set.assume_init()
    }
}

/// Makes [`wait`] return as if the operator had asked to stop.
pub fn raise_stop() {
    // SAFETY: no pointers are passed; the signal is blocked everywhere, so it only becomes pending.
    unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
}
