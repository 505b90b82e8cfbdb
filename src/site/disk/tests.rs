mod codings;
mod twin;

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::load::{MEMORY_FILE_BYTES_MAX, TIMESTAMP_STEP};
use super::*;
use crate::base::chunk::Chunk;

/// A document root that goes away with the test.
struct Site {
    root: PathBuf,
}

impl Site {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("ephpm-disk-{}-{number}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Self { root }
    }

    /// Writes a file that has stood still for a long time; `age` tells versions apart.
    fn write(&self, name: &str, content: &[u8], age: u64) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 - age);
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }

    fn disk(&self) -> (Disk, Instant) {
        self.disk_with(Options::default())
    }

    fn disk_with(&self, options: Options) -> (Disk, Instant) {
        let now = Instant::now();
        (Disk::new(&self.root, options, now).unwrap(), now)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The bytes that would be sent for `path`.
fn content(disk: &mut Disk, path: &str) -> Vec<u8> {
    bytes_of(&disk.open(path.as_bytes()).unwrap())
}

fn bytes_of(file: &OpenFile) -> Vec<u8> {
    match file.chunk(0, file.metadata().len) {
        Chunk::Bytes(bytes) => bytes.to_vec(),
        Chunk::File(range) => {
            let mut bytes = vec![0; range.len as usize];
            range.file.read_exact_at(&mut bytes, range.offset).unwrap();
            bytes
        }
    }
}

fn etag(disk: &mut Disk, path: &str) -> String {
    disk.open(path.as_bytes()).unwrap().metadata().etag.clone()
}

#[test]
fn kinds() {
    let site = Site::new();
    site.write("file", b"x", 0);
    site.write("dir/file", b"x", 0);
    symlink("dir", site.root.join("link")).unwrap();
    symlink("circle", site.root.join("circle")).unwrap();
    symlink("gone", site.root.join("dangling")).unwrap();
    let _socket = UnixListener::bind(site.root.join("socket")).unwrap();
    assert!(Command::new("mkfifo").arg(site.root.join("fifo")).status().unwrap().success());
    let (mut disk, _) = site.disk();
    let long = format!("/{}", "x".repeat(300));
    for (path, wanted) in [
        ("/", Kind::Directory),
        ("/file", Kind::File),
        ("/dir", Kind::Directory),
        ("/link/file", Kind::File),
        ("/file/x", Kind::Missing),
        ("/missing", Kind::Missing),
        ("/circle", Kind::Missing),
        ("/dangling", Kind::Missing),
        (&long, Kind::Missing),
        ("/socket", Kind::Other),
        ("/fifo", Kind::Other),
        ("/../file", Kind::Missing),
        ("//etc/passwd", Kind::Missing),
    ] {
        assert_eq!(disk.kind(path.as_bytes()), wanted, "{path}");
        assert_eq!(disk.kind(path.as_bytes()), wanted, "{path}, remembered");
        // Opening waits for nobody, and opens regular files only.
        assert_eq!(disk.open(path.as_bytes()).is_ok(), wanted == Kind::File, "{path}");
    }
    assert_eq!(disk.open(b"/dir").unwrap_err(), OpenError::NotFound);
    assert_eq!(disk.open(b"/socket").unwrap_err(), OpenError::NotFound);
    assert_eq!(disk.open(b"/fifo").unwrap_err(), OpenError::NotFound);
    assert!(Disk::new(&site.root.join("file"), Options::default(), Instant::now()).is_err());
}

#[test]
fn s7_links_that_the_policy_refuses_are_denied() {
    let (site, other) = (Site::new(), Site::new());
    site.write("file", b"in", 0);
    other.write("file", b"out", 0);
    symlink("file", site.root.join("in")).unwrap();
    symlink(other.root.join("file"), site.root.join("out")).unwrap();
    symlink(&other.root, site.root.join("out-dir")).unwrap();
    for (links, wanted) in [
        (Links::All, [Kind::File, Kind::File, Kind::File, Kind::Directory]),
        (Links::Owner, [Kind::File, Kind::File, Kind::File, Kind::Directory]),
        (Links::Inside, [Kind::File, Kind::Denied, Kind::Denied, Kind::Denied]),
        (Links::None, [Kind::Denied, Kind::Denied, Kind::Denied, Kind::Denied]),
    ] {
        let (mut disk, _) = site.disk_with(Options { links, ..Options::default() });
        for (path, wanted) in ["/in", "/out", "/out-dir/file", "/out-dir"].into_iter().zip(wanted) {
            assert_eq!(disk.kind(path.as_bytes()), wanted, "{links:?} {path}");
            let opened = disk.open(path.as_bytes()).err();
            let error = match wanted {
                Kind::File => None,
                Kind::Directory => Some(OpenError::NotFound),
                _ => Some(OpenError::Denied),
            };
            assert_eq!(opened, error, "{links:?} {path}");
        }
        assert_eq!(content(&mut disk, "/file"), b"in");
    }
    // A stranger's link: only root can make one, and everybody else has to believe the tests of the layer below.
    if lchown(site.root.join("out"), Some(4711), None).is_ok() {
        let (mut disk, _) = site.disk();
        assert_eq!(disk.kind(b"/out"), Kind::Denied);
        assert!(disk.refusal_logged_at.is_some());
    }
}

#[test]
fn what_may_not_be_read_is_denied() {
    let site = Site::new();
    site.write("secret", b"x", 0);
    site.write("closed/file", b"x", 0);
    fs::set_permissions(site.root.join("secret"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(site.root.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    let (mut disk, _) = site.disk();
    // To root nothing is denied; then this says only that permissions are the kernel's affair.
    let is_root = File::open(site.root.join("secret")).is_ok();
    assert_eq!(disk.kind(b"/secret"), Kind::File);
    assert_eq!(disk.open(b"/secret").err(), (!is_root).then_some(OpenError::Denied));
    assert_eq!(disk.kind(b"/closed/file"), if is_root { Kind::File } else { Kind::Denied });
    fs::set_permissions(site.root.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn what_is_known_needs_no_file_system() {
    let site = Site::new();
    site.write("a.css", b"small", 0);
    let (mut disk, now) = site.disk();
    assert_eq!(disk.kind(b"/a.css"), Kind::File);
    assert_eq!(content(&mut disk, "/a.css"), b"small");
    assert_eq!(disk.kind(b"/b.css"), Kind::Missing);
    fs::rename(site.root.join("a.css"), site.root.join("b.css")).unwrap();
    disk.tick(now + MISSING_TTL - Duration::from_millis(1));
    assert_eq!((disk.kind(b"/a.css"), disk.kind(b"/b.css")), (Kind::File, Kind::Missing));
    assert_eq!(content(&mut disk, "/a.css"), b"small");
    disk.tick(now + MISSING_TTL);
    assert_eq!((disk.kind(b"/a.css"), disk.kind(b"/b.css")), (Kind::File, Kind::File));
    disk.tick(now + TTL);
    assert_eq!(disk.kind(b"/a.css"), Kind::Missing);
    assert_eq!(disk.open(b"/a.css").unwrap_err(), OpenError::NotFound);
}

#[test]
fn what_is_believed_for_no_time_is_looked_up_each_time() {
    let site = Site::new();
    site.write("a.css", b"small", 0);
    let (mut disk, _) = site.disk_with(Options { ttl: Duration::ZERO, ..Options::default() });
    assert_eq!(content(&mut disk, "/a.css"), b"small");
    assert_eq!(disk.kind(b"/b.css"), Kind::Missing);
    fs::rename(site.root.join("a.css"), site.root.join("b.css")).unwrap();
    assert_eq!((disk.kind(b"/a.css"), disk.kind(b"/b.css")), (Kind::Missing, Kind::File));
    assert_eq!(content(&mut disk, "/b.css"), b"small");
    site.write("b.css", b"other", 1);
    assert_eq!(content(&mut disk, "/b.css"), b"other");
}

#[test]
fn s7_a_file_that_becomes_a_link_is_believed_no_longer_than_any() {
    let site = Site::new();
    site.write("a.css", b"small", 0);
    let (mut disk, now) = site.disk_with(Options { links: Links::Inside, ..Options::default() });
    assert_eq!(content(&mut disk, "/a.css"), b"small");
    fs::remove_file(site.root.join("a.css")).unwrap();
    symlink("/etc/passwd", site.root.join("a.css")).unwrap();
    disk.tick(now + TTL);
    assert_eq!(disk.open(b"/a.css").unwrap_err(), OpenError::Denied);
    assert_eq!(disk.kind(b"/a.css"), Kind::Denied);
}

#[test]
fn s7_a_script_that_becomes_a_link_is_believed_for_a_second_at_most() {
    let (site, other) = (Site::new(), Site::new());
    site.write("root/a.php", b"", 0);
    site.write("root/b.php", b"", 0);
    site.write("root/a.css", b"", 0);
    other.write("b.php", b"", 0);
    let root = site.root.join("root");
    let now = Instant::now();
    for (ttl, believed) in [(SCRIPT_TTL * 60, SCRIPT_TTL), (MISSING_TTL, MISSING_TTL)] {
        let options = Options { links: Links::Inside, ttl, ..Options::default() };
        let mut disk = Disk::new(&root, options, now).unwrap();
        assert_eq!((disk.kind(b"/a.php"), disk.kind(b"/a.css")), (Kind::File, Kind::File));
        for name in ["a.php", "a.css"] {
            fs::rename(root.join(name), site.root.join(name)).unwrap();
            symlink("/etc/passwd", root.join(name)).unwrap();
        }
        disk.tick(now + believed - Duration::from_millis(1));
        assert_eq!((disk.kind(b"/a.php"), disk.kind(b"/a.css")), (Kind::File, Kind::File));
        disk.tick(now + believed);
        assert_eq!(disk.kind(b"/a.php"), Kind::Denied);
        disk.tick(now + ttl);
        assert_eq!(disk.kind(b"/a.css"), Kind::Denied);
        ["a.php", "a.css"].iter().for_each(|name| fs::rename(site.root.join(name), root.join(name)).unwrap());
    }
    // Nor is it looked for below what was the document root for longer.
    symlink(&root, site.root.join("current")).unwrap();
    let options = Options { ttl: SCRIPT_TTL * 60, ..Options::default() };
    let mut disk = Disk::new(&site.root.join("current"), options, now).unwrap();
    assert_eq!((disk.kind(b"/a.php"), disk.kind(b"/b.php")), (Kind::File, Kind::File));
    symlink(&other.root, site.root.join("next")).unwrap();
    fs::rename(site.root.join("next"), site.root.join("current")).unwrap();
    disk.tick(now + SCRIPT_TTL);
    assert_eq!((disk.kind(b"/a.php"), disk.kind(b"/b.php")), (Kind::Missing, Kind::File));
}

#[test]
fn a_changed_file_is_read_again_after_a_second() {
    let site = Site::new();
    for (size, name) in [(10, "/small.txt"), (MEMORY_FILE_BYTES_MAX as usize + 1, "/large.txt")] {
        let (mut disk, mut now) = site.disk();
        for version in 0..4_u8 {
            // Replaced as a deployment does it, and by the same length.
            site.write("new", &vec![b'0' + version; size], u64::from(version));
            fs::rename(site.root.join("new"), site.root.join(&name[1..])).unwrap();
            now += TTL;
            disk.tick(now);
            assert_eq!(disk.kind(name.as_bytes()), Kind::File);
            let before = etag(&mut disk, name);
            assert_eq!(content(&mut disk, name), vec![b'0' + version; size], "{name}");
            assert_eq!(etag(&mut disk, name), before);
        }
    }
}

#[test]
fn a_large_file_that_changes_in_place_has_another_etag_in_the_next_turn() {
    let site = Site::new();
    let len = MEMORY_FILE_BYTES_MAX as usize + 1;
    site.write("large", &vec![b'a'; len], 0);
    let (mut disk, now) = site.disk();
    let before = etag(&mut disk, "/large");
    disk.tick(now + Duration::from_nanos(1));
    assert!(disk.open(b"/large").unwrap().file().is_some() && etag(&mut disk, "/large") == before);
    site.write("large", &vec![b'b'; len], 1);
    disk.tick(now + Duration::from_nanos(2));
    assert_ne!(etag(&mut disk, "/large"), before);
    assert_eq!(content(&mut disk, "/large"), vec![b'b'; len]);
}

#[test]
fn a_file_that_may_change_unseen_is_read_again() {
    let site = Site::new();
    site.write("fresh", b"1", 0);
    let status = FileStatus::of(&File::open(site.root.join("fresh")).unwrap()).unwrap();
    let changed = SystemTime::UNIX_EPOCH + Duration::new(status.changed.seconds as u64, status.changed.nanos);
    assert!(!is_settled(&status, changed - Duration::from_secs(1)), "a clock that was set back");
    assert!(!is_settled(&status, changed + TIMESTAMP_STEP));
    assert!(is_settled(&status, changed + TIMESTAMP_STEP * 2));

    for settled in [false, true] {
        let (mut disk, now) = site.disk();
        disk.open(b"/fresh").unwrap();
        let entry = disk.cache.remove(b"/fresh").unwrap();
        disk.cache.insert(b"/fresh", Entry { is_settled: settled, ..entry });
        disk.tick(now + TTL);
        assert_eq!(disk.kind(b"/fresh"), Kind::File);
        let is_held = disk.cache.look(b"/fresh", |entry| entry.file.is_some());
        assert_eq!(is_held, Some(settled), "what may have changed is not kept");
        assert_eq!(content(&mut disk, "/fresh"), b"1");
    }
}

#[test]
fn a_link_to_the_root_may_be_switched() {
    let site = Site::new();
    site.write("one/a", b"1", 0);
    site.write("two/a", b"2", 0);
    let current = site.root.join("current");
    symlink("one", &current).unwrap();
    let now = Instant::now();
    let mut disk = Disk::new(&current, Options::default(), now).unwrap();
    assert_eq!(content(&mut disk, "/a"), b"1");
    symlink("two", site.root.join("next")).unwrap();
    fs::rename(site.root.join("next"), &current).unwrap();
    disk.tick(now + TTL);
    assert_eq!(content(&mut disk, "/a"), b"2");
    // While there is no root, the last one goes on.
    fs::remove_file(&current).unwrap();
    disk.tick(now + TTL * 2);
    assert_eq!(content(&mut disk, "/a"), b"2");
}

#[test]
fn open_files_are_bounded_and_forgotten() {
    let site = Site::new();
    let large = vec![0; MEMORY_FILE_BYTES_MAX as usize + 1];
    for index in 0..30 {
        site.write(&format!("{index}"), &large, 0);
    }
    let (mut disk, now) = site.disk();
    disk.cache = FileCache::new(Limits { files: 5, ..LIMITS }, now);
    let files: Vec<_> = (0..30)
        .map(|index| Arc::downgrade(disk.open(format!("/{index}").as_bytes()).unwrap().file().unwrap()))
        .collect();
    let open = || files.iter().filter(|file| file.strong_count() > 0).count();
    assert!((5..=10).contains(&open()), "{} are open", open());
    assert_eq!(disk.deadline(), Some(now + LIMITS.age));
    disk.tick(now + LIMITS.age);
    disk.tick(now + LIMITS.age * 2);
    assert_eq!(open(), 0);
    assert_eq!(disk.deadline(), None);
    disk.open(b"/1").unwrap();
    disk.shed();
    assert_eq!(disk.deadline(), None);
}

#[test]
fn metadata_are_of_the_bytes_in_memory() {
    let site = Site::new();
    site.write("a.html", b"content", 0);
    site.write("empty.css", b"", 0);
    let (mut disk, _) = site.disk();
    let file = disk.open(b"/a.html").unwrap();
    assert_eq!((file.metadata().len, file.metadata().modified_seconds), (7, 1_000_000_000));
    assert_eq!(file.metadata().content_type, "text/html; charset=utf-8");
    assert_eq!(disk.open(b"/empty.css").unwrap().metadata().len, 0);
    assert_eq!(content(&mut disk, "/empty.css"), b"");
}
