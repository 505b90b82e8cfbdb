//! Files that a script hands over to the server to send: X-Accel-Redirect, as nginx has it, and X-Sendfile. Pure.
//!
//! A script may only name what lies in one of the operator's directories: a URL below a directory's internal prefix, or
//! an absolute path into it. A path with `..` is refused even where it would lead back. The files are opened through
//! [`Files`], which keeps them below their root; whether a client may have a file is the script's to decide.

use super::files::Files;
use super::path::MappedPath;
use crate::http::headers::Headers;

/// The fields of scripts that are ours to obey, and never to send.
pub const FIELDS: [&str; 2] = ["X-Accel-Redirect", "X-Sendfile"];

/// The directories that scripts may send files of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InternalFiles {
    /// Each with its own [`Files`], by its place here.
    pub directories: Vec<Directory>,
}

/// A directory for scripts to send files of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// What a URL of X-Accel-Redirect begins with; a slash at both ends.
    pub prefix: String,
    /// What a path of X-Sendfile begins with, without a slash at the end: the directory as configured, and without
    /// symbolic links.
    pub paths: Vec<Vec<u8>>,
}

/// The directories' files, by their place in [`InternalFiles::directories`].
pub trait Roots {
    /// The files of one directory.
    fn root(&mut self, index: usize) -> &mut dyn Files;
}

impl<F: Files> Roots for Vec<F> {
    fn root(&mut self, index: usize) -> &mut dyn Files {
        &mut self[index]
    }
}

/// A file that a script has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover<'a> {
    /// By a URL.
    Accel(&'a [u8]),
    /// By a path.
    Sendfile(&'a [u8]),
}

impl<'a> Handover<'a> {
    /// What a script's fields ask for. X-Accel-Redirect wins.
    pub fn of(headers: &'a Headers) -> Option<Self> {
        let mut found = None;
        for (name, value) in headers.iter() {
            if name.eq_ignore_ascii_case(FIELDS[0].as_bytes()) {
                return Some(Self::Accel(value));
            }
            if name.eq_ignore_ascii_case(FIELDS[1].as_bytes()) {
                found = found.or(Some(Self::Sendfile(value)));
            }
        }
        found
    }
}

impl InternalFiles {
    /// Which directory a file lies in, and its path there, for [`Files::open`]; `None` if it lies in none.
    pub fn locate(&self, handover: Handover<'_>) -> Option<(usize, Vec<u8>)> {
        match handover {
            Handover::Accel(url) => self.locate_url(url),
            Handover::Sendfile(path) => self.locate_path(path),
        }
    }

    fn locate_url(&self, url: &[u8]) -> Option<(usize, Vec<u8>)> {
        let path = &url[..memchr::memchr(b'?', url).unwrap_or(url.len())];
        let path = MappedPath::parse(path).ok().filter(MappedPath::is_lookup)?;
        let path = path.as_bytes();
        let matching = self.directories.iter().enumerate().filter(|(_, of)| path.starts_with(of.prefix.as_bytes()));
        let (index, directory) = matching.max_by_key(|(_, directory)| directory.prefix.len())?;
        below(&path[directory.prefix.len() - 1..]).map(|path| (index, path))
    }

    fn locate_path(&self, path: &[u8]) -> Option<(usize, Vec<u8>)> {
        let roots = self.directories.iter().enumerate();
        let roots = roots.flat_map(|(index, directory)| directory.paths.iter().map(move |root| (index, root)));
        let within = roots.filter_map(|(index, root)| Some((index, root.len(), path.strip_prefix(&root[..])?)));
        let (index, _, rest) = within.filter(|(_, _, rest)| rest.starts_with(b"/")).max_by_key(|(_, len, _)| *len)?;
        below(rest).map(|path| (index, path))
    }
}

/// A path below a root, if each of its segments names something.
fn below(path: &[u8]) -> Option<Vec<u8>> {
    let names = path.strip_prefix(b"/")?.split(|byte| *byte == b'/');
    let is_plain = |name: &[u8]| !matches!(name, b"" | b"." | b"..") && !name.contains(&0);
    names.into_iter().all(is_plain).then(|| path.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(prefix: &str, paths: &[&str]) -> Directory {
        Directory { prefix: prefix.to_owned(), paths: paths.iter().map(|path| path.as_bytes().to_vec()).collect() }
    }

    fn located(handover: Handover<'_>) -> Option<String> {
        let files = InternalFiles {
            directories: vec![
                directory("/protected/", &["/srv/files", "/mnt/1/files"]),
                directory("/protected/video/", &["/srv/files/video"]),
            ],
        };
        files.locate(handover).map(|(index, path)| format!("{index}{}", path.escape_ascii()))
    }

    #[test]
    fn urls_below_a_prefix_are_decoded_once() {
        for (url, wanted) in [
            ("/protected/a.pdf", Some("0/a.pdf")),
            ("/protected/b/%61%20b.pdf?x=/..", Some("0/b/a b.pdf")),
            ("/protected/video/a", Some("1/a")),
            ("/protected/videos/a", Some("0/videos/a")),
            ("/x/../protected/./a", Some("0/a")),
            ("/protected/%2561", Some("0/%61")),
            ("/protected/", None),
            ("/protected/a/", None),
            ("/protected", None),
            ("/protected/../a", None),
            ("/protected/%2e%2e/a", None),
            ("/protected/..%2fa", None),
            ("/protected/a%2Fb", None),
            ("/protected/a%00", None),
            ("/protected\\a", None),
            ("/other/a", None),
            ("protected/a", None),
            ("http://a/protected/a", None),
            ("//protected/a", Some("0/a")),
            ("@name", None),
            ("", None),
        ] {
            assert_eq!(located(Handover::Accel(url.as_bytes())).as_deref(), wanted, "{url}");
        }
    }

    #[test]
    fn paths_are_taken_as_they_are() {
        for (path, wanted) in [
            ("/srv/files/a.pdf", Some("0/a.pdf")),
            ("/srv/files/%61", Some("0/%61")),
            ("/srv/files/video/a", Some("1/a")),
            ("/mnt/1/files/a?b", Some("0/a?b")),
            ("/srv/files", None),
            ("/srv/files/", None),
            ("/srv/files2/a", None),
            ("/srv/files/../secret", None),
            ("/srv/files/./a", None),
            ("/srv/files//a", None),
            ("/srv/files/a/", None),
            ("/etc/passwd", None),
            ("files/a", None),
            ("", None),
        ] {
            assert_eq!(located(Handover::Sendfile(path.as_bytes())).as_deref(), wanted, "{path}");
        }
    }

    #[test]
    fn fields_are_found_in_any_case() {
        let mut headers = Headers::new();
        assert_eq!(Handover::of(&headers), None);
        headers.add("x-sendFile", b"/a");
        headers.add("X-Sendfile", b"/b");
        assert_eq!(Handover::of(&headers), Some(Handover::Sendfile(b"/a")));
        headers.add("x-accel-redirect", b"/c");
        assert_eq!(Handover::of(&headers), Some(Handover::Accel(b"/c")));
    }
}
