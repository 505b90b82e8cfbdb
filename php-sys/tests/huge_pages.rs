//! Huge pages that somebody has set aside (hugetlbfs) are not taken, and this process has them asked for by PHP's own `mmap`.
#![allow(unsafe_code, reason = "these tests are the callers of a C interface")]
#![allow(missing_docs, clippy::unwrap_used, dead_code, reason = "tests")]

mod support;

use std::ffi::{c_int, c_void};
use std::{io, ptr};

use support::{Exchange, Php};

// Of <sys/mman.h>, <linux/mman.h> and <errno.h>.
const PROT_READ: c_int = 1;
const MAP_PRIVATE: c_int = 0x02;
const MAP_ANONYMOUS: c_int = 0x20;
const MAP_HUGETLB: c_int = 0x40000;
const MAP_HUGE_SHIFT: c_int = 26;
const ENOMEM: i32 = 12;

unsafe extern "C" {
    fn mmap(address: *mut c_void, len: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
}

/// The kernel would say EINVAL: no machine has pages of 512 bytes. So it is not the kernel that says what PHP hears when
/// there are none.
#[test]
fn reserved_pages_are_left_to_others() {
    Php::on_thread(|php| {
        assert_eq!(php.run("<?php echo 'started';", Exchange::get("")).body(), "started");
        for size in [9, 21] {
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (size << MAP_HUGE_SHIFT);
            // SAFETY: new memory at any place, which nobody uses.
            let memory = unsafe { mmap(ptr::null_mut(), 2 << 20, PROT_READ, flags, -1, 0) };
            assert_eq!(memory.addr(), usize::MAX, "MAP_FAILED");
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(ENOMEM), "pages of 2^{size} bytes");
        }
    });
}
