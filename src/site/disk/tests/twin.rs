//! A disk that believes what it has learnt for a while, beside one that believes nothing, over a directory in which
//! anything may happen: once that while has passed, they say the same.

use std::hash::{DefaultHasher, Hasher};

use super::*;
use crate::base::random::Random;
use crate::http::coding::Codings;
use crate::site::files::Offer;

/// What there may be: files with and without codings, a script, and what lies below a directory or a link.
const NAMES: [&str; 12] = [
    "a.css",
    "a.css.br",
    "a.css.gz",
    "b.png",
    "c.html",
    "c.html.zst",
    "d.php",
    "dir",
    "dir/a.css",
    "dir/b.png",
    "link",
    "link/a.css",
];
/// Around what is held in memory, and what is worth encoding.
const LENGTHS: [usize; 8] = [
    0,
    1,
    900,
    3000,
    MEMORY_FILE_BYTES_MAX as usize - 1,
    MEMORY_FILE_BYTES_MAX as usize,
    MEMORY_FILE_BYTES_MAX as usize + 1,
    70_000,
];

/// Changes something; what cannot be done is not done.
fn change(site: &Site, random: &mut Random) {
    let path = site.root.join("current").join(random.pick(&NAMES));
    let other = site.root.join("current").join(random.pick(&NAMES));
    let age = random.below(3) as u64;
    let content = vec![b'a' + random.below(3) as u8; random.pick(&LENGTHS)];
    let _ = match random.below(11) {
        // In place, as an editor does it, and by another file, as a deployment does.
        0..=2 => fs::write(&path, &content),
        3 | 4 => {
            site.write("new", &content, age);
            fs::rename(site.root.join("new"), &path)
        }
        5 => fs::remove_file(&path),
        6 => fs::rename(&path, &other),
        7 => fs::create_dir(&path),
        8 => fs::remove_dir_all(&path),
        9 => symlink(random.pick(&["a.css", "dir", "nowhere", "/etc/hostname", "."]), &path),
        _ => {
            let root = random.pick(&["one", "two"]);
            let _ = fs::remove_file(site.root.join("next"));
            symlink(root, site.root.join("next"))
                .and_then(|()| fs::rename(site.root.join("next"), site.root.join("current")))
        }
    };
}

/// All that can be told of a path: what lies there, and how it can be had.
#[derive(Debug, PartialEq)]
struct Seen {
    kind: Kind,
    file: Result<Told, OpenError>,
    coded: Vec<Option<Told>>,
}

#[derive(Debug, PartialEq)]
struct Told {
    etag: String,
    last_modified: String,
    content_type: String,
    coding: Option<Coding>,
    offer: Offer,
    varies: bool,
    is_in_memory: bool,
    /// Its length and a sum, since nobody could read it.
    content: (usize, u64),
}

impl Told {
    fn of(file: &OpenFile) -> Self {
        let metadata = file.metadata();
        let content = bytes_of(file);
        assert_eq!(metadata.len, content.len() as u64);
        let mut sum = DefaultHasher::new();
        sum.write(&content);
        Self {
            etag: metadata.etag.clone(),
            last_modified: String::from_utf8(metadata.last_modified.to_vec()).unwrap(),
            content_type: metadata.content_type.clone(),
            coding: metadata.coding,
            offer: file.offer(),
            varies: file.varies(),
            is_in_memory: file.file().is_none(),
            content: (content.len(), sum.finish()),
        }
    }
}

fn look(disk: &mut Disk, path: &str, kind_first: bool) -> Seen {
    let path = path.as_bytes();
    // In either order, since each learns what the other uses.
    let kind = kind_first.then(|| disk.kind(path));
    let file = disk.open(path).map(|file| Told::of(&file));
    let offered = file.as_ref().map_or(Codings::NONE, |file| file.offer.codings);
    let offered = Coding::ALL.into_iter().filter(|coding| offered.contains(*coding));
    let coded = offered.map(|coding| disk.open_coded(path, coding).map(|file| Told::of(&file))).collect();
    Seen { kind: kind.unwrap_or_else(|| disk.kind(path)), file, coded }
}

#[test]
fn what_is_believed_for_a_while_is_then_what_the_disk_says() {
    let mut random = Random(0x5eed);
    let (mut files, mut coded) = (0, 0);
    for world in 0..12 {
        let site = Site::new();
        fs::create_dir(site.root.join("one")).unwrap();
        fs::create_dir(site.root.join("two")).unwrap();
        symlink("one", site.root.join("current")).unwrap();
        let links = [Links::Owner, Links::All, Links::Inside, Links::None][world % 4];
        let mut now = Instant::now();
        let disk = |ttl| {
            // What is longer takes long to be encoded, and lies beside the file, or not at all.
            let compression = compression::Options { file_bytes_max: 4096, ..compression::Options::default() };
            let options = Options { links, ttl, compression: Arc::new(compression), ..Options::default() };
            Disk::new(&site.root.join("current"), options, now).unwrap()
        };
        let (mut cached, mut fresh) = (disk(TTL), disk(Duration::ZERO));
        if world >= 6 {
            // Nearly everything is driven out again.
            let limits = Limits { entries: 4, memory: 100_000, files: 2, ..LIMITS };
            cached.cache = FileCache::new(limits, now);
        }
        for step in 0..25 {
            (0..=random.below(4)).for_each(|_| change(&site, &mut random));
            // What is learnt meanwhile, may be believed, and must be forgotten.
            for _ in 0..random.below(6) {
                now += TTL / 10;
                cached.tick(now);
                look(&mut cached, &format!("/{}", random.pick(&NAMES)), random.below(2) == 0);
                change(&site, &mut random);
            }
            now += TTL;
            cached.tick(now);
            fresh.tick(now);
            for name in NAMES {
                let path = format!("/{name}");
                let kind_first = random.below(2) == 0;
                let (one, two) = (look(&mut cached, &path, kind_first), look(&mut fresh, &path, kind_first));
                assert!(one == two, "world {world}, step {step}, {path}: {one:?}\n{two:?}");
                files += usize::from(one.file.is_ok());
                coded += one.coded.iter().flatten().count();
            }
        }
    }
    assert!(files > 500 && coded > 100, "{files} {coded}");
}
