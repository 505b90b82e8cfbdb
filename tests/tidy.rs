//! The rules of the house that a machine can check: layering, circles, sizes, and where the outside world is touched.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers, highest first. A module imports only from layers below its own, and within its own.
const LAYERS: &[&str] = &[
    "program",
    "net",
    "php",
    "service",
    "site",
    "exchange",
    "protocol",
    "proxy_protocol",
    "http2",
    "http1",
    "http",
    "base",
];

/// Pairs of layers that meet elsewhere and must not know each other.
const STRANGERS: &[(&str, &str)] = &[("net", "php"), ("php", "service"), ("http2", "http1")];

/// Words that may stand only below these paths of `src/`.
const CONFINED: &[(&str, &[&str])] = &[
    ("unsafe ", &["base/sys", "php"]),
    ("libc::", &["base/sys"]),
    ("mio::", &["net"]),
    ("php_sys::", &["php"]),
    ("Instant::now", &["net", "php", "program"]),
    ("SystemTime::now", &["net", "php", "program", "site/disk"]),
    ("thread::spawn", &["php", "program"]),
    ("thread::Builder", &["php", "program"]),
    ("process::exit", &["main.rs"]),
    ("eprintln!", &["main.rs"]),
];

/// Lines of a file, comments included, its tests apart.
const LINES_MAX: usize = 400;

/// Bytes of a file in the repository.
const COMMITTED_BYTES_MAX: u64 = 1 << 20;

struct Source {
    /// `net::event_loop`; `lib` and `main` for the roots.
    module: String,
    /// Below `src/`.
    path: String,
    /// Without the tests at the end.
    lines: usize,
    /// The same without comments.
    code: String,
}

fn sources() -> Vec<Source> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    let sources: Vec<Source> = found
        .iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let module = path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = code.lines().count();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            Source { module, path, lines, code }
        })
        .collect();
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

fn is_test(source: &Source) -> bool {
    source.path.ends_with("tests.rs") || source.path.contains("/tests/")
}

/// The modules that `source` names by `crate::` and `super::`, each as far as it is one of `modules`.
fn references(source: &Source, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let parent = source.module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let grandparent = parent.rsplit_once("::").map_or("", |(parent, _)| parent);
    let mut found = BTreeSet::new();
    for (prefix, base) in [("crate::", ""), ("super::super::", grandparent), ("super::", parent)] {
        for (at, _) in source.code.match_indices(prefix) {
            let before = &source.code[..at];
            if before.ends_with("::") || (base.is_empty() && prefix == "super::" && parent.is_empty()) {
                continue;
            }
            let rest = &source.code[at + prefix.len()..];
            for path in expand(rest) {
                let full = if base.is_empty() { path } else { format!("{base}::{path}") };
                let mut name = full.as_str();
                loop {
                    if modules.contains(name) {
                        found.insert(name.to_owned());
                        break;
                    }
                    let Some((shorter, _)) = name.rsplit_once("::") else { break };
                    name = shorter;
                }
            }
        }
    }
    found.remove(&source.module);
    found
}

/// The paths that the text begins with: one, or those of a list in braces.
fn expand(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let head = &text[..end];
    if !text[end..].starts_with('{') {
        return vec![head.trim_end_matches("::").to_owned()];
    }
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in text[end..].chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => items.push(String::new()),
            c if depth == 1 && !c.is_whitespace() => items.last_mut().unwrap().push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    items.iter().map(|item| format!("{head}{}", item.trim_end_matches("::"))).collect()
}

fn layer(module: &str) -> Option<usize> {
    let name = module.split("::").next().unwrap();
    LAYERS.iter().position(|layer| *layer == name)
}

#[test]
fn modules_import_only_from_layers_below() {
    let sources = sources();
    let modules: BTreeSet<String> = sources.iter().map(|source| source.module.clone()).collect();
    let mut wrong = Vec::new();
    for source in &sources {
        if source.module == "lib" || source.module == "main" || source.module == "fuzz" {
            continue;
        }
        let Some(own) = layer(&source.module) else {
            wrong.push(format!("{} belongs to no layer", source.path));
            continue;
        };
        for used in references(source, &modules) {
            let Some(other) = layer(&used) else { continue };
            let strangers = STRANGERS.contains(&(LAYERS[own], LAYERS[other]));
            if other < own || strangers {
                wrong.push(format!("{} imports {used}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn modules_form_no_circles() {
    let sources = sources();
    let modules: BTreeSet<String> = sources.iter().map(|source| source.module.clone()).collect();
    let related = |a: &str, b: &str| a.starts_with(&format!("{b}::")) || b.starts_with(&format!("{a}::"));
    let edges: BTreeMap<&str, Vec<String>> = sources
        .iter()
        .filter(|source| !is_test(source) && source.module != "lib" && source.module != "main")
        .map(|source| {
            let used = references(source, &modules).into_iter().filter(|used| !related(&source.module, used)).collect();
            (source.module.as_str(), used)
        })
        .collect();
    for start in edges.keys() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<(&str, Vec<&str>)> = vec![(start, vec![start])];
        while let Some((module, path)) = open.pop() {
            for used in edges.get(module).into_iter().flatten() {
                let path = [&path[..], &[used]].concat();
                assert_ne!(used, start, "a circle: {path:?}");
                if seen.insert(used) {
                    open.push((used, path));
                }
            }
        }
    }
}

#[test]
fn the_outside_world_is_touched_where_it_should_be() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !is_test(source)) {
        for (word, homes) in CONFINED {
            let at_home = homes.iter().any(|home| source.path.starts_with(home));
            if !at_home && source.code.contains(word) {
                wrong.push(format!("{} has {word:?}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_stay_readable() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !is_test(source)) {
        if source.lines > LINES_MAX {
            wrong.push(format!("{} has {} lines", source.path, source.lines));
        }
        for word in ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("] {
            if source.code.contains(word) {
                wrong.push(format!("{} has {word}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Build output, archives and core dumps are larger than any source.
#[test]
fn nothing_large_is_committed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = ["-c", "safe.directory=*", "ls-files", "-z"];
    let Ok(listed) = Command::new("git").args(list).current_dir(root).output() else { return };
    if !listed.status.success() {
        // This is no checkout, but somebody's copy of one.
        return;
    }
    let names = String::from_utf8(listed.stdout).unwrap();
    let sizes = names.split_terminator('\0').filter_map(|name| Some((name, fs::metadata(root.join(name)).ok()?.len())));
    let (large, others): (Vec<_>, Vec<_>) = sizes.partition(|(_, len)| *len > COMMITTED_BYTES_MAX);
    assert!(large.is_empty() && !others.is_empty(), "{large:?}");
}

#[test]
fn architecture_md_names_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<String> = sources()
        .iter()
        .filter(|source| !is_test(source) && !text.contains(&format!("`{}`", source.path)))
        .map(|source| source.path.clone())
        .collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name {missing:#?}");
}

#[test]
fn the_table_of_layers_is_the_one_in_architecture_md() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut at = 0;
    for name in LAYERS {
        let row = format!("| `{name}`");
        let found = text[at..].find(&row).unwrap_or_else(|| panic!("no row for {name} below the one before"));
        at += found;
    }
}

#[test]
fn the_checker_sees_what_it_should() {
    let modules: BTreeSet<String> = ["a", "a::b", "a::c", "d", "d::e"].iter().map(|name| (*name).to_owned()).collect();
    let source = |code: &str| Source { module: "a::b".into(), path: "a/b.rs".into(), lines: 1, code: code.into() };
    let seen = |code: &str| references(&source(code), &modules).into_iter().collect::<Vec<_>>();
    assert_eq!(seen("use crate::d::e::Thing;"), ["d::e"]);
    assert_eq!(seen("use super::c;"), ["a::c"]);
    assert_eq!(seen("use crate::{a::c, d::{e, X}};"), ["a::c", "d"]);
    assert_eq!(seen("use super::Thing;"), ["a"]);
    assert_eq!(seen("std::super_thing()"), Vec::<String>::new());
}
