//! Signals. A handler takes note of each and wakes the one thread that waits for them; nothing else happens in it.
//!
//! No signal is blocked and none ignored, since both would pass through `exec` to the programs that PHP starts, which
//! could then neither be ended by SIGTERM nor notice a broken pipe. Handlers do not pass through it.
#![allow(unsafe_code, reason = "system calls")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use super::check;

/// What the operator asks for, or this process tells itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Signal {
    /// SIGTERM, SIGINT or SIGQUIT: stop.
    Stop,
    /// Stop, and wait for nobody. Not a signal of the system.
    StopNow,
    /// SIGHUP: read the configuration again.
    Reload,
    /// SIGUSR1: open log files again.
    ReopenLogs,
    /// SIGUSR2: start the program anew, and hand the listening sockets to it.
    Upgrade,
    /// The program that was started so is ready. Not a signal of the system.
    Upgraded,
    /// It has ended before it was. Not a signal of the system.
    NotUpgraded,
    /// SIGURG, which nobody minds who does not know it: something stands where several processes look.
    Look,
    /// SIGCHLD, after [`watch_children`]: a child has ended.
    ChildEnded,
}

/// In the order in which [`wait`] gives them when there are several.
const ALL: [Signal; 9] = [
    Signal::NotUpgraded,
    Signal::Stop,
    Signal::StopNow,
    Signal::Upgraded,
    Signal::ChildEnded,
    Signal::Reload,
    Signal::ReopenLogs,
    Signal::Upgrade,
    Signal::Look,
];

const HANDLED: [(libc::c_int, Signal); 7] = [
    (libc::SIGTERM, Signal::Stop),
    (libc::SIGINT, Signal::Stop),
    (libc::SIGQUIT, Signal::Stop),
    (libc::SIGHUP, Signal::Reload),
    (libc::SIGUSR1, Signal::ReopenLogs),
    (libc::SIGUSR2, Signal::Upgrade),
    (libc::SIGURG, Signal::Look),
];

const OF_CHILDREN: (libc::c_int, Signal) = (libc::SIGCHLD, Signal::ChildEnded);

/// A bit for each signal that has come and was not given by [`wait`] yet.
static PENDING: AtomicU32 = AtomicU32::new(0);
/// The eventfd that ends a wait.
static WAKE: AtomicI32 = AtomicI32::new(-1);
/// Somebody will wait for [`Signal::Stop`].
static STOPS_IN_ORDER: AtomicBool = AtomicBool::new(false);
/// The process that the handlers are for. A child of PHP has them too between `fork` and `exec`.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Installs the handlers, and unblocks whatever the parent process had blocked. A write to a peer that is gone is an
/// error of the write (EPIPE) and nothing more. To be called before other threads start; a second call does nothing.
///
/// What asks the process to stop ends it at once until [`stop_in_order`] is called.
pub fn install() -> io::Result<()> {
    if WAKE.load(Ordering::SeqCst) >= 0 {
        return Ok(());
    }
    // SAFETY: no pointers are passed.
    let wake = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    WAKE.store(wake, Ordering::SeqCst);
    // SAFETY: no pointers are passed.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::SeqCst);
    for (number, _) in HANDLED {
        handle(number, take_note)?;
    }
    handle(libc::SIGPIPE, do_nothing)?;
    block(&empty_set())
}

/// From here on [`Signal::ChildEnded`] is given. For a process that starts no programs but by itself.
pub fn watch_children() -> io::Result<()> {
    handle(OF_CHILDREN.0, take_note)
}

/// Makes a process that is a copy of this one, of which its process id is returned; the copy itself gets `None`. Its
/// signals are its own: none is pending, what asks it to stop ends it at once until it calls [`stop_in_order`], and it
/// is asked to when this process is gone.
///
/// Must be called after [`install`], while the calling thread is the only one.
pub fn fork() -> io::Result<Option<u32>> {
    // What comes meanwhile is for either process, and is not to be taken for the other's.
    block(&full_set())?;
    // SAFETY: no pointers are passed.
    let parent = unsafe { libc::getpid() };
    // SAFETY: by this function's contract no other thread holds a lock that the copy would wait for.
    let forked = check(unsafe { libc::fork() });
    if let Ok(0) = forked {
        // The parent hears of the end, as of any other.
        // SAFETY: it never returns.
        begin_anew(parent).unwrap_or_else(|_| unsafe { libc::_exit(1) });
    }
    block(&empty_set())?;
    Ok(forked.map(u32::try_from)?.ok().filter(|pid| *pid > 0))
}

/// In the child of [`fork`], with all signals blocked.
fn begin_anew(parent: libc::pid_t) -> io::Result<()> {
    // SAFETY: no pointers are passed; SIGCHLD's handler is the parent's. The eventfd is the parent's as well, and nobody
    // uses it but this module.
    unsafe {
        libc::signal(OF_CHILDREN.0, libc::SIG_DFL);
        libc::close(WAKE.load(Ordering::SeqCst));
    }
    // SAFETY: no pointers are passed.
    let wake = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
    WAKE.store(wake, Ordering::SeqCst);
    PENDING.store(0, Ordering::SeqCst);
    STOPS_IN_ORDER.store(false, Ordering::SeqCst);
    // SAFETY: no pointers are passed.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::SeqCst);
    // SAFETY: no pointers are passed.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })?;
    // SAFETY: no pointers are passed.
    if unsafe { libc::getppid() } != parent {
        return Err(io::Error::other("the parent process has ended"));
    }
    Ok(())
}

/// Sends a process the signal that stands for `signal`, if there is one. A process that has ended is none.
pub fn send(pid: u32, signal: Signal) {
    let number = HANDLED.iter().find(|(_, handled)| *handled == signal).map(|(number, _)| *number);
    if let (Some(number), Ok(pid)) = (number, libc::pid_t::try_from(pid)) {
        // SAFETY: no pointers are passed.
        unsafe { libc::kill(pid, number) };
    }
}

/// What a signal is called that ends processes by themselves or at somebody's wish.
pub fn name(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => return None,
    })
}

fn block(set: &libc::sigset_t) -> io::Result<()> {
    // SAFETY: the set is initialised; a null old set is allowed.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// From here on [`Signal::Stop`] is waited for. Before, a process that hangs while it starts could not be stopped.
pub fn stop_in_order() {
    STOPS_IN_ORDER.store(true, Ordering::SeqCst);
}

fn handle(number: libc::c_int, handler: extern "C" fn(libc::c_int)) -> io::Result<()> {
    let action = libc::sigaction {
        sa_sigaction: handler as libc::sighandler_t,
        sa_mask: empty_set(),
        // System calls of PHP and of its libraries are not to fail because of a signal that is not for them.
        sa_flags: libc::SA_RESTART,
        sa_restorer: None,
    };
    // SAFETY: the action is initialised, and its handler is async-signal-safe; a null old action is allowed.
    check(unsafe { libc::sigaction(number, &raw const action, std::ptr::null_mut()) })?;
    Ok(())
}

fn empty_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn full_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigfillset initialises the set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

extern "C" fn do_nothing(_number: libc::c_int) {}

/// Runs as a signal handler: it touches atomics and calls async-signal-safe functions only, and leaves `errno` alone.
extern "C" fn take_note(number: libc::c_int) {
    // SAFETY: the calls are async-signal-safe, and `errno` is this thread's own.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let mut known = HANDLED.iter().chain([&OF_CHILDREN]);
        let signal = known.find(|(handled, _)| *handled == number).map(|(_, signal)| *signal);
        if libc::getpid() == PROCESS.load(Ordering::SeqCst) {
            if signal == Some(Signal::Stop) && !STOPS_IN_ORDER.load(Ordering::SeqCst) {
                libc::_exit(0);
            }
            signal.into_iter().for_each(raise);
        } else {
            // A child that has not reached its `exec`: what ends the program that it is to become ends it too. The
            // signal is blocked while its handler runs, and so arrives when this returns.
            libc::signal(number, libc::SIG_DFL);
            libc::raise(number);
        }
        *errno = before;
    }
}

/// Makes [`wait`] return this signal.
pub fn raise(signal: Signal) {
    PENDING.fetch_or(1 << signal as u8, Ordering::SeqCst);
    let one = 1u64;
    // SAFETY: eight bytes are read from `one`. It cannot block, and a counter that is full wakes all the same.
    unsafe { libc::write(WAKE.load(Ordering::SeqCst), (&raw const one).cast(), size_of::<u64>()) };
}

/// Waits for a signal, for at most `timeout`. For one thread.
pub fn wait(timeout: Option<Duration>) -> io::Result<Option<Signal>> {
    wait_beside(timeout, &[])
}

/// The same, and returns without a signal as soon as one of these files can be read or has come to its end, too.
pub fn wait_beside(timeout: Option<Duration>, files: &[BorrowedFd<'_>]) -> io::Result<Option<Signal>> {
    if let Some(signal) = take() {
        return Ok(Some(signal));
    }
    let wake = WAKE.load(Ordering::SeqCst);
    let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut entries: Vec<_> = files.iter().map(|file| entry(file.as_raw_fd())).chain([entry(wake)]).collect();
    // Rounded up, so that a wait for less than a millisecond does not spin.
    let millis = timeout.map_or(-1, |timeout| {
        libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
    });
    // SAFETY: as many entries are passed as there are, and they outlive the call.
    match check(unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, millis) }) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
        _ => {}
    }
    let mut count = 0u64;
    // SAFETY: eight bytes are written to `count`; nothing is, and it does not block, when the counter is zero.
    unsafe { libc::read(wake, (&raw mut count).cast(), size_of::<u64>()) };
    Ok(take())
}

/// The first of the pending signals. The bit is set before the eventfd is written, so none is missed.
fn take() -> Option<Signal> {
    let is_pending = |signal: &&Signal| {
        let bit = 1 << **signal as u8;
        PENDING.fetch_and(!bit, Ordering::SeqCst) & bit != 0
    };
    ALL.iter().find(is_pending).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_given_once_and_stop_first() {
        install().unwrap();
        stop_in_order();
        assert_eq!(wait(Some(Duration::ZERO)).unwrap(), None);
        // To this thread: the harness's own are not to be disturbed.
        for number in [libc::SIGUSR2, libc::SIGHUP, libc::SIGTERM, libc::SIGINT, libc::SIGPIPE] {
            // SAFETY: no pointers are passed.
            assert_eq!(unsafe { libc::raise(number) }, 0);
        }
        let mut given = Vec::new();
        while let Some(signal) = wait(Some(Duration::ZERO)).unwrap() {
            given.push(signal);
        }
        assert_eq!(given, [Signal::Stop, Signal::Reload, Signal::Upgrade]);
        raise(Signal::Upgraded);
        assert_eq!(wait(None).unwrap(), Some(Signal::Upgraded));
    }
}
