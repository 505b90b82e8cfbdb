//! This process: its limits, and what it and the programs that it starts may do.
#![allow(unsafe_code, reason = "system calls")]

use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

use super::check;

/// Raises the soft limit on open files to the hard one and returns it.
pub fn raise_open_files() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit that outlives the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: as above.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    }
    Ok(limit.rlim_cur)
}

/// Sees to it that no file that the parent process has left open reaches the programs that this process starts, but for
/// the three standard streams. What this process opens itself is closed on exec from the beginning.
pub fn close_inherited_files_on_exec() -> io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Some(fd) = entry?.file_name().to_str().and_then(|name| name.parse().ok()).filter(|fd| *fd > 2) else {
            continue;
        };
        // SAFETY: no pointers are passed. The one descriptor that may be closed by now is that of the directory.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

/// The highest file descriptor that is looked at where the kernel cannot mark them all in one call.
const DESCRIPTORS_MAX: RawFd = 1 << 20;

/// Has `command` leave these files open for the program that it starts, and no other but the standard streams: what
/// PHP opens for scripts is not closed on exec by itself, and a lock lives as long as any copy of its file. They must be
/// open until then.
pub fn leave_open(command: &mut Command, files: Vec<RawFd>) {
    let leave = move || {
        close_all_on_exec();
        for file in &files {
            // SAFETY: no pointers are passed, and fcntl is async-signal-safe, as is all of this closure.
            check(unsafe { libc::fcntl(*file, libc::F_SETFD, 0) })?;
        }
        Ok(())
    };
    // SAFETY: the closure neither allocates nor locks, so that it may run between fork and exec.
    unsafe { command.pre_exec(leave) };
}

/// Async-signal-safe.
fn close_all_on_exec() {
    let (first, last, flags) = (3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    // SAFETY: no pointers are passed.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } == 0 {
        return;
    }
    // Linux before 5.11, or a sandbox that does not know the call.
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit that outlives the call.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    for fd in 3..RawFd::try_from(limit.rlim_cur).unwrap_or(DESCRIPTORS_MAX).min(DESCRIPTORS_MAX) {
        // SAFETY: no pointers are passed; what is not open is an error.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Asks a process to end (SIGTERM). One that has ended is none.
pub fn terminate(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: no pointers are passed.
    unsafe { libc::kill(pid, libc::SIGTERM) };
}

/// Ends a process without asking it (SIGKILL).
pub fn kill(pid: u32) {
    let Ok(pid) = libc::pid_t::try_from(pid) else { return };
    // SAFETY: no pointers are passed.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// A child that has ended and that nobody has asked about yet, and how it ended. For a process that starts and watches
/// its children in one place, since it takes them all, those among them that were left to it by others (as they are to
/// the first process of a container).
pub fn reap() -> Option<(u32, ExitStatus)> {
    let mut status = 0;
    // SAFETY: `status` is an int that outlives the call.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    // Without children it is an error, and with none that has ended 0.
    u32::try_from(pid).ok().filter(|pid| *pid > 0).map(|pid| (pid, ExitStatus::from_raw(status)))
}

/// Takes over a pipe that the parent process has left open for this one under this number. Fails for anything else.
pub fn adopt_file(number: RawFd) -> io::Result<File> {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the status is there to be written; an fd that is not open is an error.
    check(unsafe { libc::fstat(number, status.as_mut_ptr()) })?;
    // SAFETY: fstat has succeeded, and has filled it.
    if unsafe { status.assume_init() }.st_mode & libc::S_IFMT != libc::S_IFIFO {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no pipe"));
    }
    // SAFETY: it is open, and meant for nobody else in this process: the caller has been told so by the parent.
    let file = unsafe { File::from_raw_fd(number) };
    // SAFETY: no pointers are passed; the file is open.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    Ok(file)
}

/// Removes a variable from the environment, and returns what it was. Must be called while the calling thread is the
/// only one.
pub fn take_variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    // SAFETY: by this function's contract nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) };
    value
}

/// Sees to it that nothing that this process starts gains privileges by being set-user-ID, set-group-ID or by file
/// capabilities (`PR_SET_NO_NEW_PRIVS`), for good. Threads that run already are not reached.
pub fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: no pointers are passed.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    Ok(())
}

/// Whether a crash leaves an image of the memory behind, which holds the secrets of all visitors. Without one the soft
/// limit becomes 0; with one it becomes the hard limit, even of a process that has dropped privileges.
pub fn set_core_dumps(wanted: bool) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit that outlives the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_CORE, &raw mut limit) })?;
    limit.rlim_cur = if wanted { limit.rlim_max } else { 0 };
    // SAFETY: as above.
    check(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) })?;
    if wanted {
        // SAFETY: no pointers are passed.
        check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) })?;
    }
    Ok(())
}

/// Sees to it that what this process creates is not writable by everybody, and leaves the rest of the inherited file
/// mode creation mask as the operator has set it.
pub fn tighten_umask() {
    // SAFETY: no pointers are passed; it never fails.
    unsafe {
        let inherited = libc::umask(0o077);
        libc::umask(inherited | 0o002);
    }
}

/// Ends the process at once: no destructors, no exit handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: it never returns; whatever other threads do ends with it.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_files_are_closed_on_exec() {
        // SAFETY: no pointers are passed; the descriptor is left open to the end of the process.
        let inherited = check(unsafe { libc::fcntl(1, libc::F_DUPFD, 100) }).unwrap();
        // SAFETY: no pointers are passed.
        let flags = |fd| check(unsafe { libc::fcntl(fd, libc::F_GETFD) }).unwrap();
        assert_eq!(flags(inherited), 0);
        close_inherited_files_on_exec().unwrap();
        assert_eq!(flags(inherited), libc::FD_CLOEXEC);
        assert_eq!(flags(1), 0);
    }
}
