//! Looking up a path below a directory while symbolic links obey a policy ([`Links`]).
//!
//! The kernel does it in one call where it can (`openat2`, Linux 5.6). Where it may not (an older kernel, a sandbox
//! that forbids the call), and where a link leads out and the policy must say whether it may, the path is walked here,
//! component by component: a link is never followed by the kernel but read, judged and replaced by its target. What is
//! opened in the end is what was judged, whatever happens to names in between.

#![allow(unsafe_code, reason = "openat, openat2, fstatat and readlinkat have no safe wrapper in std")]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::MetadataExt;

use super::check;

/// Which symbolic links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// All of them, wherever they lead.
    All,
    /// Those that stay below the directory; one that leads out only if it belongs to root, or to the owner of what it
    /// names. A stranger's link to somebody else's file is thus refused.
    Owner,
    /// Those that stay below the directory.
    Inside,
    /// None.
    None,
}

/// Links on one path; the kernel's own bound.
const LINKS_MAX: usize = 40;
/// How often the kernel is asked again when a name has changed under it.
const ATTEMPTS: usize = 4;

/// Opens what `path` names below `directory`, with `flags` as of `open(2)`. The path is relative, and none of its own
/// components is `..`. A link that the policy refuses is an error that [`is_refused`] knows.
pub(super) fn open(directory: &File, path: &CStr, flags: libc::c_int, links: Links) -> io::Result<File> {
    let resolve = match links {
        Links::All => return open_at(directory, path, flags),
        Links::Owner | Links::Inside => libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS,
        Links::None => libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS,
    };
    for _ in 0..ATTEMPTS {
        let error = match open_beneath(directory, path, flags, resolve) {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EINTR) => {}
            Some(libc::ENOSYS | libc::EPERM | libc::EXDEV) => break,
            Some(libc::ELOOP) if links == Links::None => return Err(refused()),
            _ => return Err(error),
        }
    }
    walk(directory, path, flags, links)
}

/// Whether a look-up failed because the policy refuses a symbolic link.
pub fn is_refused(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EXDEV)
}

fn refused() -> io::Error {
    io::Error::from_raw_os_error(libc::EXDEV)
}

/// What [`open`] does, without the kernel's help.
fn walk(directory: &File, path: &CStr, flags: libc::c_int, links: Links) -> io::Result<File> {
    let mut place = Place::new(directory)?;
    let mut names = components(path.to_bytes());
    let (mut followed, mut all_trusted) = (0, true);
    let file = loop {
        let Some(name) = names.pop() else { break open_at(&place.here, c".", flags)? };
        if name.as_bytes() == b".." {
            place.up()?;
            continue;
        }
        let found = open_at(&place.here, &name, libc::O_PATH | libc::O_NOFOLLOW)?;
        let metadata = found.metadata()?;
        if metadata.is_symlink() {
            followed += 1;
            if links == Links::None {
                return Err(refused());
            }
            if followed > LINKS_MAX {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            if links == Links::Owner {
                all_trusted &= metadata.uid() == 0 || metadata.uid() == owner_behind(&place.here, &name)?;
            }
            let target = read_link(&found)?;
            if target.starts_with(b"/") {
                place.restart()?;
            }
            names.append(&mut components(&target));
        } else if names.is_empty() {
            // Not a link a moment ago; if it is one now, it is not followed.
            break open_at(&place.here, &name, flags | libc::O_NOFOLLOW)?;
        } else {
            place.down(found)?;
        }
    };
    let allowed = place.is_inside() || (links == Links::Owner && all_trusted);
    allowed.then_some(file).ok_or_else(refused)
}

/// The components of a path, the last one first; those that change nothing are left out.
fn components(path: &[u8]) -> Vec<CString> {
    let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    let mut names: Vec<CString> = names.filter_map(|name| CString::new(name).ok()).collect();
    names.reverse();
    names
}

/// A directory on the way, and whether it lies below the one that the walk began in.
struct Place {
    here: File,
    root: FileId,
    /// `here` and what lies above it, as far as the walk has come through it; never empty.
    trail: Vec<FileId>,
}

/// What makes a file the same file: its file system and its number there.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl Place {
    fn new(directory: &File) -> io::Result<Self> {
        let root = FileId::of(directory)?;
        Ok(Self { here: directory.try_clone()?, root, trail: vec![root] })
    }

    /// Whatever is reached through the root lies inside, be it by a way that led out first.
    fn is_inside(&self) -> bool {
        self.trail.contains(&self.root)
    }

    fn down(&mut self, directory: File) -> io::Result<()> {
        self.trail.push(FileId::of(&directory)?);
        self.here = directory;
        Ok(())
    }

    fn up(&mut self) -> io::Result<()> {
        self.here = open_at(&self.here, c"..", libc::O_PATH | libc::O_DIRECTORY)?;
        self.trail.pop();
        if self.trail.is_empty() {
            self.trail.push(FileId::of(&self.here)?);
        }
        Ok(())
    }

    /// The target of a link begins at the root of the whole system.
    fn restart(&mut self) -> io::Result<()> {
        self.here = open_at(&self.here, c"/", libc::O_PATH | libc::O_DIRECTORY)?;
        self.trail = vec![FileId::of(&self.here)?];
        Ok(())
    }
}

impl FileId {
    fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self(metadata.dev(), metadata.ino()))
    }
}

fn open_at(directory: &File, path: &CStr, flags: libc::c_int) -> io::Result<File> {
    loop {
        // SAFETY: the descriptor is open for as long as `directory` is borrowed, and a CStr ends in a NUL.
        let result = unsafe { libc::openat(directory.as_raw_fd(), path.as_ptr(), flags | libc::O_CLOEXEC) };
        match check(result) {
            // SAFETY: openat has just returned this descriptor, and nobody else knows it.
            Ok(fd) => return Ok(unsafe { File::from_raw_fd(fd) }),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// `struct open_how` of `openat2(2)`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

fn open_beneath(directory: &File, path: &CStr, flags: libc::c_int, resolve: u64) -> io::Result<File> {
    let flags = u64::try_from(flags | libc::O_CLOEXEC).expect("open's flags are a positive number");
    let how = OpenHow { flags, mode: 0, resolve };
    // SAFETY: as for openat; `how` is what the kernel expects, and its size is passed with it.
    let result = unsafe {
        libc::syscall(libc::SYS_openat2, directory.as_raw_fd(), path.as_ptr(), &raw const how, size_of::<OpenHow>())
    };
    let fd = i32::try_from(check(result)?).expect("a descriptor is an int");
    // SAFETY: openat2 has just returned this descriptor, and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// The owner of what a link names in the end.
fn owner_behind(directory: &File, name: &CStr) -> io::Result<u32> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: as for openat, and `stat` has room for what the kernel writes.
    check(unsafe { libc::fstatat(directory.as_raw_fd(), name.as_ptr(), stat.as_mut_ptr(), 0) })?;
    // SAFETY: fstatat has succeeded, so it has filled `stat`.
    Ok(unsafe { stat.assume_init() }.st_uid)
}

/// The target of a link that is held open.
fn read_link(link: &File) -> io::Result<Vec<u8>> {
    let mut target = vec![0; libc::PATH_MAX as usize];
    // SAFETY: as for openat; an empty path is the descriptor itself, and the kernel writes at most `target.len()` bytes.
    let result = unsafe { libc::readlinkat(link.as_raw_fd(), c"".as_ptr(), target.as_mut_ptr().cast(), target.len()) };
    let len = usize::try_from(check(result)?).expect("a length is not negative");
    target.truncate(len);
    Ok(target)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::{OpenOptionsExt, lchown, symlink};
    use std::path::{Path, PathBuf};

    use super::*;

    /// A directory `site`, and things beside it that links lead to.
    struct World(PathBuf);

    impl World {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("ephpm-confine-{name}-{}", std::process::id()));
            for (path, content) in [("site/file", "inside"), ("site/dir/file", "below"), ("other/file", "outside")] {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            Self(root)
        }

        fn link(&self, name: &str, target: impl AsRef<Path>) {
            symlink(target, self.0.join("site").join(name)).unwrap();
        }

        fn site(&self) -> File {
            let options = fs::OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).clone();
            options.open(self.0.join("site")).unwrap()
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// What a path holds, by the kernel and by the walk, which must agree.
    fn look(site: &File, path: &str, links: Links) -> Result<String, &'static str> {
        let path = CString::new(path).unwrap();
        let read = |file: io::Result<File>| match file {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                Ok(text)
            }
            Err(error) if is_refused(&error) => Err("refused"),
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Err("loop"),
            Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) => Err("no directory"),
            Err(_) => Err("missing"),
        };
        let (opened, walked) = (open(site, &path, libc::O_RDONLY, links), walk(site, &path, libc::O_RDONLY, links));
        let (opened, walked) = (read(opened), read(walked));
        assert_eq!(opened, walked, "{path:?} {links:?}");
        opened
    }

    #[test]
    fn s7_links_obey_the_policy() {
        let world = World::new("policy");
        world.link("in", "file");
        world.link("in-dir", "dir");
        world.link("in-and-up", "dir/../dir/../file");
        world.link("in-absolute", world.0.join("site/dir/file"));
        world.link("out-and-in", "../other/../site/file");
        world.link("out", "../other/file");
        world.link("out-dir", "../other");
        world.link("out-absolute", world.0.join("other/file"));
        world.link("chain", "out");
        world.link("dangling", "../nowhere");
        world.link("circle", "circle");
        let site = world.site();
        let (inside, below, outside) = (Ok("inside".to_owned()), Ok("below".to_owned()), Ok("outside".to_owned()));
        for (path, all, in_only) in [
            ("file", &inside, &inside),
            ("dir/file", &below, &below),
            ("./dir//file", &below, &below),
            ("in", &inside, &inside),
            ("in-dir/file", &below, &below),
            ("in-and-up", &inside, &inside),
            ("in-absolute", &below, &below),
            ("out-and-in", &inside, &inside),
            ("out", &outside, &Err("refused")),
            ("out-dir/file", &outside, &Err("refused")),
            ("out-absolute", &outside, &Err("refused")),
            ("chain", &outside, &Err("refused")),
            ("missing", &Err("missing"), &Err("missing")),
            ("file/x", &Err("no directory"), &Err("no directory")),
            ("circle", &Err("loop"), &Err("loop")),
        ] {
            // Whoever runs this test has made both the links and what they name.
            assert_eq!(read_all(&site, path), *all, "{path}");
            assert_eq!(look(&site, path, Links::Owner), *all, "{path}");
            assert_eq!(look(&site, path, Links::Inside), *in_only, "{path}");
        }
        for path in ["in", "in-dir/file", "out", "circle"] {
            assert_eq!(look(&site, path, Links::None), Err("refused"), "{path}");
        }
        assert_eq!(look(&site, "dir/file", Links::None), below);
        assert_eq!(look(&site, "dangling", Links::Owner), Err("missing"));
    }

    fn read_all(site: &File, path: &str) -> Result<String, &'static str> {
        let path = CString::new(path).unwrap();
        let mut text = String::new();
        match open(site, &path, libc::O_RDONLY, Links::All) {
            Ok(mut file) => file.read_to_string(&mut text).map(|_| text).map_err(|_| "unreadable"),
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => Err("loop"),
            Err(error) if error.raw_os_error() == Some(libc::ENOTDIR) => Err("no directory"),
            Err(_) => Err("missing"),
        }
    }

    #[test]
    fn s7_a_strangers_link_leads_nowhere_but_inside() {
        let world = World::new("owner");
        for name in ["in", "out", "root-out"] {
            world.link(name, if name == "in" { "file" } else { "../other/file" });
        }
        // Only root can give files away; without that the other test has to do.
        let give = |name: &str, owner| lchown(world.0.join("site").join(name), Some(owner), None).is_ok();
        if !(give("in", 4711) && give("out", 4711) && give("root-out", 0)) {
            return;
        }
        let site = world.site();
        assert_eq!(look(&site, "in", Links::Owner), Ok("inside".to_owned()));
        assert_eq!(look(&site, "out", Links::Owner), Err("refused"));
        assert_eq!(look(&site, "root-out", Links::Owner), Ok("outside".to_owned()));
        lchown(world.0.join("other/file"), Some(4711), None).unwrap();
        assert_eq!(look(&site, "out", Links::Owner), Ok("outside".to_owned()));
        assert_eq!(look(&site, "root-out", Links::Owner), Ok("outside".to_owned()));
    }

    #[test]
    fn a_magic_link_is_read_like_any_other() {
        let world = World::new("magic");
        let held = File::open(world.0.join("other/file")).unwrap();
        world.link("magic", format!("/proc/self/fd/{}", held.as_raw_fd()));
        let site = world.site();
        assert_eq!(look(&site, "magic", Links::Inside), Err("refused"));
        assert_eq!(look(&site, "magic", Links::None), Err("refused"));
    }
}
