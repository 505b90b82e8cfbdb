//! This process: its limits, and what it and the programs that it starts may do.
#![allow(unsafe_code, reason = "system calls")]

use std::io;

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
