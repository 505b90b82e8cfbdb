//! `ephpm php …`: when this program is to act as `php`, and how a script can start another one.
//!
//! PHP programs start PHP by the constant `PHP_BINARY`, which is one path, followed by anything that `php` understands,
//! or by nothing at all and code on standard input. So the path alone has to say that `php` is meant, whatever comes
//! after it. Hence three ways: the word `php`, a link of that name, and [`MARK`].

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Between a directory and the name of a program: another way to write the same path, which nobody comes across.
const MARK: &str = "/././";

/// Whether PHP's command line is meant. The number is that of the argument which stands for the program's name, PHP's
/// own being those after it: 1 for `ephpm php script.php`, 0 for a program that is called as `php`.
pub fn recognise(arguments: impl IntoIterator<Item = OsString>) -> Option<usize> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next()?;
    if is_php(program.as_bytes()) {
        return Some(0);
    }
    (arguments.next()? == "php").then_some(1)
}

/// What `PHP_BINARY` is to say: a link called `php` beside this program, else the program itself, with a mark. `None`
/// if the system does not tell where the program is.
pub fn binary() -> Option<CString> {
    let program = std::env::current_exe().ok()?;
    let link = program.with_file_name("php");
    let path = if is_same_file(&link, &program) { link.into_os_string() } else { marked(&program)? };
    CString::new(path.into_vec()).ok()
}

/// `php`, `php8.4` and the like, or a path with the mark.
fn is_php(path: &[u8]) -> bool {
    let name_start = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (directory, name) = path.split_at(name_start);
    let is_version = |text: &[u8]| text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    directory.ends_with(MARK.as_bytes()) || name.strip_prefix(b"php").is_some_and(is_version)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    identity(a).is_some_and(|file| identity(b) == Some(file))
}

fn marked(program: &Path) -> Option<OsString> {
    let directory = program.parent()?.as_os_str().as_bytes();
    // Of a program in "/" nothing comes before the mark.
    let directory = OsStr::from_bytes(directory.strip_suffix(b"/").unwrap_or(directory));
    let mut path = directory.to_owned();
    path.push(MARK);
    path.push(program.file_name()?);
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognised(line: &str) -> Option<usize> {
        recognise(line.split(' ').map(OsString::from))
    }

    #[test]
    fn the_word_php_comes_first() {
        assert_eq!(recognised("ephpm php"), Some(1));
        assert_eq!(recognised("/usr/bin/ephpm php -r echo"), Some(1));
        assert_eq!(recognised("ephpm ./php"), None);
        assert_eq!(recognised("ephpm --check php"), None);
        assert_eq!(recognised("ephpm serve php"), None);
        assert_eq!(recognised("ephpm"), None);
        assert_eq!(recognise([]), None);
    }

    #[test]
    fn a_link_called_php_is_php() {
        for line in ["php", "php -v", "/usr/bin/php x.php", "./php", "php8.4 php", "php84"] {
            assert_eq!(recognised(line), Some(0), "{line}");
        }
        for line in ["phpx", "php-fpm", "/php/ephpm", "ephpm8.4", ""] {
            assert_eq!(recognised(line), None, "{line}");
        }
    }

    #[test]
    fn a_marked_path_is_php_whatever_follows() {
        for (program, path) in [("/opt/e/ephpm", "/opt/e/././ephpm"), ("/ephpm", "/././ephpm")] {
            let marked = marked(Path::new(program)).unwrap();
            assert_eq!(marked, path);
            assert_eq!(recognised(path), Some(0));
            assert_eq!(recognise([marked, "ephpm.toml".into()]), Some(0));
        }
        for line in ["./ephpm", "././ephpm x", "/opt/./ephpm", "/opt/././bin/ephpm"] {
            assert_eq!(recognised(line), None, "{line}");
        }
    }

    #[test]
    fn php_binary_names_this_program() {
        let binary = binary().unwrap();
        let path = Path::new(OsStr::from_bytes(binary.as_bytes()));
        assert!(is_same_file(path, &std::env::current_exe().unwrap()));
        assert!(is_php(binary.as_bytes()));
    }
}
