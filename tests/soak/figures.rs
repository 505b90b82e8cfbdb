//! What a process has of the system: threads, open files, children, memory.

use std::fmt;
use std::fs;

use crate::site::{EVENT_LOOPS, FILE};

/// A look at `/proc`.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) threads: Vec<String>,
    /// Without those that an event loop keeps for the next who asks (`src/site/file_cache.rs`).
    pub(crate) files: Vec<String>,
    /// Those that are kept.
    pub(crate) cached: usize,
    pub(crate) children: Vec<String>,
    /// Memory that is nobody else's, which is where a leak shows.
    pub(crate) anonymous_kib: u64,
    /// All memory, with the program itself and OPcache's, which is mapped at the start and touched little by little.
    pub(crate) resident_kib: u64,
}

impl Figures {
    pub(crate) fn of(pid: u32) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let entries = |name: &str| {
            let entries = fs::read_dir(format!("/proc/{pid}/{name}")).expect("a process that lives");
            entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_string_lossy().into_owned()))
        };
        let tasks: Vec<String> = entries("task").collect();
        let status = read("status");
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of this name");
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
        };
        let children = tasks.iter().map(|task| read(&format!("task/{task}/children")));
        let mut threads: Vec<String> =
            tasks.iter().map(|task| read(&format!("task/{task}/comm")).trim().to_owned()).collect();
        threads.sort();
        let link = |name: String| fs::read_link(format!("/proc/{pid}/fd/{name}")).ok();
        let mut files: Vec<String> =
            entries("fd").filter_map(link).map(|path| kind(&path.to_string_lossy()).to_owned()).collect();
        files.sort();
        let cached = files.extract_if(.., |path| path.ends_with(FILE)).count();
        Self {
            threads,
            files,
            cached,
            children: children
                .flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>())
                .filter(|child| !child.is_empty())
                .collect(),
            anonymous_kib: kib("RssAnon"),
            resident_kib: kib("VmRSS"),
        }
    }

    /// Whether the same threads and files are there as in `other`, and no child.
    pub(crate) fn is_quiet_as(&self, other: &Self) -> bool {
        let is_same = self.threads == other.threads && self.files == other.files;
        is_same && self.children.is_empty() && self.cached <= EVENT_LOOPS
    }
}

/// `socket:[123]` is a socket, and a file is itself, by its name alone.
fn kind(path: &str) -> &str {
    path.split_once(":[").map_or(path, |(kind, _)| kind)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, files, cached, children, anonymous_kib, resident_kib } = self;
        let (threads, files, children) = (threads.len(), files.len(), children.len());
        write!(
            f,
            "{threads} threads, {files} open files and {cached} in the cache, {children} children, {anonymous_kib} KiB of its own, \
             {resident_kib} KiB in all"
        )
    }
}
