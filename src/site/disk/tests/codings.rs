//! Codings beside files, and codings made of them.

use super::*;
use crate::base::random::Random;
use crate::http::coding::Codings;
use crate::http::encoder::decode;
use crate::site::cache_control::CacheRule;
use crate::site::files::Offer;

/// Text of this length that shrinks.
fn text(len: usize) -> Vec<u8> {
    b"body { color: rebeccapurple; } ".iter().copied().cycle().take(len).collect()
}

/// Bytes that do not shrink.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).bytes(len)
}

fn options(change: impl FnOnce(&mut compression::Options)) -> Options {
    let mut compression = compression::Options::default();
    change(&mut compression);
    Options { compression: Arc::new(compression), ..Options::default() }
}

fn offer(disk: &mut Disk, path: &str) -> Offer {
    disk.open(path.as_bytes()).unwrap().offer()
}

fn all() -> Codings {
    Coding::ALL.into_iter().collect()
}

fn only(coding: Coding) -> Codings {
    [coding].into_iter().collect()
}

/// The content of a file in a coding, as it is sent.
fn coded(disk: &mut Disk, path: &str, coding: Coding) -> Option<Vec<u8>> {
    disk.open(path.as_bytes()).unwrap();
    disk.open_coded(path.as_bytes(), coding).map(|file| bytes_of(&file))
}

#[test]
fn rule_61_what_lies_beside_a_file_is_a_coding_of_it() {
    let site = Site::new();
    site.write("a.css", &text(2000), 5);
    site.write("a.css.br", b"as brotli", 5);
    site.write("a.css.gz", b"as gzip", 4);
    site.write("a.css.zst", b"too old", 6);
    site.write("b.css.gz", b"of nothing", 0);
    site.write("c.css", &text(2000), 5);
    fs::create_dir(site.root.join("c.css.gz")).unwrap();
    site.write("d.png", b"x", 5);
    site.write("d.png.gz", b"x", 5);
    let (mut disk, _) = site.disk();
    let found = offer(&mut disk, "/a.css");
    assert_eq!(found, Offer { codings: [Coding::Br, Coding::Gzip].into_iter().collect(), is_made: false });
    assert_eq!(coded(&mut disk, "/a.css", Coding::Br).unwrap(), b"as brotli");
    assert_eq!(coded(&mut disk, "/a.css", Coding::Gzip).unwrap(), b"as gzip");
    assert_eq!(coded(&mut disk, "/a.css", Coding::Zstd), None);
    let file = disk.open_coded(b"/a.css", Coding::Gzip).unwrap();
    assert_eq!(file.metadata().content_type, "text/css; charset=utf-8");
    assert_eq!(file.metadata().modified_seconds, 1_000_000_000 - 4, "it is a file of its own");
    assert!(!file.metadata().etag.starts_with("W/"));
    // Not without the file, not a directory, and not of what is packed in itself.
    assert_eq!(disk.kind(b"/b.css"), Kind::Missing);
    assert!(offer(&mut disk, "/c.css").is_made);
    assert_eq!(offer(&mut disk, "/d.png"), Offer::default());
    // Asked for by its own name it is what it is.
    let direct = disk.open(b"/a.css.gz").unwrap();
    assert_eq!((direct.metadata().content_type.as_str(), direct.metadata().coding), ("application/gzip", None));

    let (mut disk, _) = site.disk_with(options(|options| options.precompressed = false));
    assert!(offer(&mut disk, "/a.css").is_made);
    let (mut disk, _) = site.disk_with(options(|options| options.codings = vec![Coding::Gzip, Coding::Zstd]));
    assert_eq!(offer(&mut disk, "/a.css").codings, only(Coding::Gzip));
}

#[test]
fn what_lies_beside_a_file_is_known_for_a_second() {
    let site = Site::new();
    let large = vec![b'x'; MEMORY_FILE_BYTES_MAX as usize + 1];
    site.write("a.css", &text(2000), 5);
    site.write("a.css.gz", b"one", 5);
    site.write("a.css.br", &large, 5);
    let (mut disk, mut now) = site.disk();
    assert_eq!(coded(&mut disk, "/a.css", Coding::Gzip).unwrap(), b"one");
    assert_eq!(coded(&mut disk, "/a.css", Coding::Br).unwrap(), large);
    assert!(disk.open_coded(b"/a.css", Coding::Br).unwrap().file().is_some());
    // The file system is not asked again...
    fs::remove_file(site.root.join("a.css.gz")).unwrap();
    site.write("a.css.zst", b"new", 5);
    assert_eq!(coded(&mut disk, "/a.css", Coding::Gzip).unwrap(), b"one");
    assert_eq!(coded(&mut disk, "/a.css", Coding::Zstd), None);
    // ...until a second is over.
    now += TTL;
    disk.tick(now);
    assert_eq!(offer(&mut disk, "/a.css").codings, [Coding::Zstd, Coding::Br].into_iter().collect());
    assert_eq!(coded(&mut disk, "/a.css", Coding::Gzip), None);
    assert_eq!(coded(&mut disk, "/a.css", Coding::Zstd).unwrap(), b"new");
    // Replaced by another of the same length.
    site.write("next", b"two", 3);
    fs::rename(site.root.join("next"), site.root.join("a.css.zst")).unwrap();
    now += TTL;
    disk.tick(now);
    assert_eq!(coded(&mut disk, "/a.css", Coding::Zstd).unwrap(), b"two");
    // A file that has overtaken what lies beside it is made anew.
    site.write("a.css", &text(3000), 0);
    now += TTL;
    disk.tick(now);
    assert!(offer(&mut disk, "/a.css").is_made);
    assert_eq!(decode(Coding::Zstd, &coded(&mut disk, "/a.css", Coding::Zstd).unwrap()), text(3000));
    assert!(disk.deadline().is_some());
    disk.shed();
    assert_eq!(disk.deadline(), None);
}

#[test]
fn codings_are_made_once_and_again_when_the_file_changes() {
    let site = Site::new();
    let large = MEMORY_FILE_BYTES_MAX as usize + 5;
    for (name, len) in [("a.css", 2000), ("large.js", large)] {
        site.write(name, &text(len), 5);
    }
    let (mut disk, mut now) = site.disk();
    for (path, len) in [("/a.css", 2000), ("/large.js", large)] {
        assert_eq!(offer(&mut disk, path), Offer { codings: all(), is_made: true });
        for coding in Coding::ALL {
            let bytes = coded(&mut disk, path, coding).unwrap();
            assert!(bytes.len() < len / 4);
            assert_eq!(decode(coding, &bytes), text(len), "{path} {coding:?}");
            let again = disk.open_coded(path.as_bytes(), coding).unwrap();
            let and_again = disk.open_coded(path.as_bytes(), coding).unwrap();
            assert_eq!(again.bytes().unwrap().as_ptr(), and_again.bytes().unwrap().as_ptr(), "it is kept");
            assert_eq!(again.metadata().content_type, disk.open(path.as_bytes()).unwrap().metadata().content_type);
        }
    }
    let before = disk.open_coded(b"/a.css", Coding::Gzip).unwrap();
    now += TTL;
    disk.tick(now);
    assert_eq!(coded(&mut disk, "/a.css", Coding::Gzip).unwrap(), bytes_of(&before));
    site.write("next", &text(3000), 0);
    fs::rename(site.root.join("next"), site.root.join("a.css")).unwrap();
    now += TTL;
    disk.tick(now);
    assert_eq!(decode(Coding::Gzip, &coded(&mut disk, "/a.css", Coding::Gzip).unwrap()), text(3000));
    assert_ne!(disk.open_coded(b"/a.css", Coding::Gzip).unwrap().metadata().etag, before.metadata().etag);
}

#[test]
fn only_what_is_worth_it_is_encoded() {
    let site = Site::new();
    site.write("short.css", &text(1023), 0);
    site.write("just.css", &text(1024), 0);
    site.write("longest.css", &text(5000), 0);
    site.write("longer.css", &text(5001), 0);
    site.write("a.png", &text(2000), 0);
    site.write("packed.txt", &noise(3000, 1), 0);
    let (mut disk, _) = site.disk_with(options(|options| options.file_bytes_max = 5000));
    for (path, is_made) in
        [("/short.css", false), ("/just.css", true), ("/longest.css", true), ("/longer.css", false), ("/a.png", false)]
    {
        assert_eq!(offer(&mut disk, path).is_made, is_made, "{path}");
    }
    // What does not shrink is sent as it is, and that is remembered.
    assert_eq!(coded(&mut disk, "/packed.txt", Coding::Gzip), None);
    assert_eq!(coded(&mut disk, "/packed.txt", Coding::Gzip), None);
    for change in [
        |options: &mut compression::Options| options.enabled = false,
        |options: &mut compression::Options| {
            options.cache_bytes = 2 * 1023;
        },
    ] {
        let (mut disk, _) = site.disk_with(options(change));
        assert_eq!(offer(&mut disk, "/just.css"), Offer::default());
    }
}

#[test]
fn encoded_files_are_bounded() {
    let site = Site::new();
    for index in 0..20 {
        site.write(&format!("{index}.css"), &noise(4000, index + 1).escape_ascii().to_string().into_bytes(), 0);
    }
    let (mut disk, _) = site.disk_with(options(|options| options.cache_bytes = 40_000));
    let files: Vec<_> = (0..20)
        .map(|index| {
            let path = format!("/{index}.css");
            disk.open(path.as_bytes()).unwrap();
            let file = disk.open_coded(path.as_bytes(), Coding::Gzip).unwrap();
            (path, file.bytes().unwrap().as_ptr(), file)
        })
        .collect();
    let kept = files.iter().rev().take_while(|(path, at, _)| {
        disk.open(path.as_bytes()).unwrap();
        disk.open_coded(path.as_bytes(), Coding::Gzip).unwrap().bytes().unwrap().as_ptr() == *at
    });
    let bytes: usize = kept.map(|(_, _, file)| file.memory()).sum();
    assert!((10_000..=40_000).contains(&bytes), "{bytes}");
}

#[test]
fn more_than_can_be_encoded_now_is_sent_as_it_is() {
    let site = Site::new();
    for index in 0..20 {
        site.write(&format!("{index}.css"), &text(1 << 20), 0);
    }
    let (mut disk, now) = site.disk_with(options(|options| options.codings = vec![Coding::Zstd]));
    let encode_all =
        |disk: &mut Disk| (0..20).filter(|index| coded(disk, &format!("/{index}.css"), Coding::Zstd).is_some()).count();
    let at_once = encode_all(&mut disk);
    assert!((1..20).contains(&at_once), "{at_once}");
    assert_eq!(encode_all(&mut disk), at_once, "what was made is kept");
    disk.tick(now + Duration::from_secs(1));
    assert!(encode_all(&mut disk) > at_once);
}

#[test]
fn rules_for_caches_hold_for_all_codings() {
    let site = Site::new();
    site.write("a.css", &text(2000), 0);
    site.write("b.js", b"x", 0);
    let rules = vec![CacheRule::new("*.css", "max-age=60").unwrap()];
    let (mut disk, _) = site.disk_with(Options { cache_rules: Arc::new(rules.into()), ..Options::default() });
    let file = disk.open(b"/a.css").unwrap();
    let coded = disk.open_coded(b"/a.css", Coding::Gzip).unwrap();
    for file in [file, coded] {
        assert_eq!(file.metadata().cache_control.as_deref(), Some("max-age=60"));
    }
    assert_eq!(disk.open(b"/b.js").unwrap().metadata().cache_control, None);
}

#[test]
fn rule_62_what_is_not_to_be_transformed_is_not() {
    let site = Site::new();
    for name in ["a.css", "b.css", "b.css.gz", "c.css"] {
        site.write(name, &text(2000), 0);
    }
    let rule = |pattern, value| CacheRule::new(pattern, value).unwrap();
    let rules = vec![rule("c.css", "public, transform"), rule("*.css", "public, No-Transform")];
    let (mut disk, _) = site.disk_with(Options { cache_rules: Arc::new(rules.into()), ..Options::default() });
    assert_eq!(offer(&mut disk, "/a.css"), Offer::default());
    assert_eq!(offer(&mut disk, "/b.css").codings, only(Coding::Gzip), "that was made by whoever put it there");
    assert_eq!(offer(&mut disk, "/c.css").codings, all());
}
