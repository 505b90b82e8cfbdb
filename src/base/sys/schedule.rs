//! How the kernel shares the processors out among this process's threads.
#![allow(unsafe_code, reason = "system calls")]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::time::Duration;

use super::check;

/// Lets the calling thread have the processor for so long at a time (sched(7): a `sched_runtime` of SCHED_OTHER; 0.1 to
/// 100 ms). Its share stays the same; but a thread with a short slice that wakes up runs before one with a long slice is
/// through with it. Kernels before 6.12 ignore it.
pub fn set_slice(slice: Duration) -> io::Result<()> {
    let mut attributes = MaybeUninit::<libc::sched_attr>::zeroed();
    let size = u32::try_from(size_of::<libc::sched_attr>()).expect("a small struct");
    // SAFETY: there is room for `size` bytes, and 0 is the calling thread.
    check(unsafe { libc::syscall(libc::SYS_sched_getattr, 0, attributes.as_mut_ptr(), size, 0) })?;
    // SAFETY: it was zeroed, which is valid for integers, whatever the kernel has written.
    let mut attributes = unsafe { attributes.assume_init() };
    if ![libc::SCHED_OTHER, libc::SCHED_BATCH].contains(&(attributes.sched_policy.cast_signed())) {
        // Somebody has given it a policy where this would mean something else.
        return Ok(());
    }
    attributes.sched_runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: a valid sched_attr that outlives the call, and 0 is the calling thread.
    check(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody needs a privilege for it, and the rest of the thread's attributes stays.
    #[test]
    fn a_slice_changes_nothing_else() {
        std::thread::spawn(|| {
            // SAFETY: no pointers are passed; 0 is the calling thread.
            let attributes = || unsafe { (libc::sched_getscheduler(0), libc::getpriority(libc::PRIO_PROCESS, 0)) };
            // SAFETY: as above.
            assert_eq!(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) }, 0);
            let before = attributes();
            set_slice(Duration::from_millis(1)).unwrap();
            assert_eq!(attributes(), before);
        })
        .join()
        .unwrap();
    }
}
