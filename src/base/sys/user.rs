//! Users and groups: looking them up, and becoming one for good.
#![allow(unsafe_code, reason = "system calls")]

use std::ffi::{CStr, CString, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::ptr;

use super::check;

/// Bytes that an entry of the user or group database may have; a group lists its members.
const ENTRY_BYTES_MAX: usize = 1 << 20;

/// Whom a process is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The supplementary groups, which are those that the user database lists for the user, and `gid`.
    pub groups: Vec<u32>,
    /// The user's name and home directory, if the user database knows them.
    pub login: Option<(OsString, OsString)>,
}

impl Identity {
    /// Looks up a user, by name or number, and a group other than the user's own; without a user it is the present one.
    /// A number needs no entry in the user database if the group is named too. The error says which is unknown.
    pub fn find(user: Option<&str>, group: Option<&str>) -> io::Result<Self> {
        let group = group.map(find_group).transpose()?;
        // SAFETY: no pointers are passed.
        let present = unsafe { libc::geteuid() }.to_string();
        let user = user.unwrap_or(&present);
        let (uid, gid, login) = match (find_user(user)?, user.parse(), group) {
            (Some(found), _, group) => (found.uid, group.unwrap_or(found.gid), Some((found.name, found.home))),
            (None, Ok(uid), Some(gid)) => (uid, gid, None),
            (None, Ok(_), None) => return Err(unknown(&format!("the group of user {user}"))),
            (None, Err(_), _) => return Err(unknown(&format!("user {user:?}"))),
        };
        let groups = login.as_ref().map_or_else(|| vec![gid], |(name, _)| groups_of(name, gid));
        let os = |text: CString| OsString::from_vec(text.into_bytes());
        let login = login.map(|(name, home)| (os(name), os(home)));
        Ok(Self { uid, gid, groups, login })
    }

    /// Makes all threads of this process those of this user and no other ever after. A process that is this user
    /// already stays as it is.
    pub fn assume(&self) -> io::Result<()> {
        // SAFETY: no pointers are passed.
        let (uid, euid, gid) = unsafe { (libc::getuid(), libc::geteuid(), libc::getgid()) };
        if euid != 0 && (uid, euid, gid) == (self.uid, self.uid, self.gid) {
            return Ok(());
        }
        // Of the groups first, while it is allowed; of the user last. The C library does each in every thread.
        // SAFETY: the list is as long as it is said to be.
        check(unsafe { libc::setgroups(self.groups.len(), self.groups.as_ptr()) })?;
        // SAFETY: no pointers are passed.
        check(unsafe { libc::setresgid(self.gid, self.gid, self.gid) })?;
        // SAFETY: no pointers are passed.
        check(unsafe { libc::setresuid(self.uid, self.uid, self.uid) })?;
        // SAFETY: no pointers are passed.
        if self.uid != 0 && unsafe { libc::setuid(0) } == 0 {
            return Err(io::Error::other("the system let the process become root again"));
        }
        Ok(())
    }
}

/// Whether this process may do as it likes.
pub fn is_root() -> bool {
    // SAFETY: no pointers are passed.
    unsafe { libc::geteuid() == 0 }
}

fn unknown(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{what} is unknown"))
}

/// What the user database says of a user.
struct Found {
    uid: u32,
    gid: u32,
    name: CString,
    home: CString,
}

fn find_user(user: &str) -> io::Result<Option<Found>> {
    let number = user.parse::<u32>();
    let name = CString::new(user)?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut buf = vec![0; 1024];
    loop {
        let mut found = ptr::null_mut();
        let (entry, len) = (entry.as_mut_ptr(), buf.len());
        // SAFETY: `entry`, `found` and `len` bytes of `buf` are there to be written; `name` is a string.
        let error = unsafe {
            match number {
                Ok(uid) => libc::getpwuid_r(uid, entry, buf.as_mut_ptr(), len, &raw mut found),
                Err(_) => libc::getpwnam_r(name.as_ptr(), entry, buf.as_mut_ptr(), len, &raw mut found),
            }
        };
        if error == libc::ERANGE && len < ENTRY_BYTES_MAX {
            buf.resize(2 * len, 0);
        } else if found.is_null() {
            return absent(error);
        } else {
            // SAFETY: it was found, so the entry is filled, and its strings lie in `buf`.
            let found = unsafe {
                Found {
                    uid: (*found).pw_uid,
                    gid: (*found).pw_gid,
                    name: CStr::from_ptr((*found).pw_name).to_owned(),
                    home: CStr::from_ptr((*found).pw_dir).to_owned(),
                }
            };
            return Ok(Some(found));
        }
    }
}

fn find_group(group: &str) -> io::Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let name = CString::new(group)?;
    let mut entry = MaybeUninit::<libc::group>::uninit();
    let mut buf = vec![0; 1024];
    loop {
        let mut found = ptr::null_mut();
        let len = buf.len();
        // SAFETY: the entry, `found` and `len` bytes of `buf` are there to be written; `name` is a string.
        let error =
            unsafe { libc::getgrnam_r(name.as_ptr(), entry.as_mut_ptr(), buf.as_mut_ptr(), len, &raw mut found) };
        if error == libc::ERANGE && len < ENTRY_BYTES_MAX {
            buf.resize(2 * len, 0);
        } else if found.is_null() {
            return absent(error)?.ok_or_else(|| unknown(&format!("group {group:?}")));
        } else {
            // SAFETY: it was found, so the entry is filled.
            return Ok(unsafe { (*found).gr_gid });
        }
    }
}

/// What it means that nothing was found: there is nothing (getpwnam(3) lists the numbers for it), or it cannot be told.
fn absent<T>(error: libc::c_int) -> io::Result<Option<T>> {
    match error {
        0 | libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM => Ok(None),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn groups_of(name: &CStr, gid: u32) -> Vec<u32> {
    let mut groups = vec![gid; 32];
    loop {
        let mut len = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: `name` is a string, and there is room for `len` groups.
        if unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut len) } >= 0 {
            groups.truncate(usize::try_from(len).unwrap_or(0));
            return groups;
        }
        groups.resize((2 * groups.len()).max(usize::try_from(len).unwrap_or(0)), gid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_name_and_number() {
        let root = Identity::find(Some("root"), None).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(root.login.as_ref().map(|(name, _)| name.to_str()), Some(Some("root")));
        assert_eq!(Identity::find(Some("0"), Some("root")).unwrap(), root);
        let nameless = Identity::find(Some("3999999"), Some("3999998")).unwrap();
        assert_eq!(nameless, Identity { uid: 3_999_999, gid: 3_999_998, groups: vec![3_999_998], login: None });
        for (user, group, what) in [
            ("nobody-of-this-name", None, "user \"nobody-of-this-name\""),
            ("3999999", None, "the group of user 3999999"),
            ("root", Some("no-such-group"), "group \"no-such-group\""),
        ] {
            let error = Identity::find(Some(user), group).unwrap_err().to_string();
            assert_eq!(error, format!("{what} is unknown"));
        }
    }

    #[test]
    fn who_it_is_already_a_process_can_become() {
        if !is_root() {
            let own = Identity::find(None, None).unwrap();
            own.assume().unwrap();
            assert!(Identity { uid: own.uid + 1, ..own }.assume().is_err());
        }
    }
}
