//! Which names are PHP's, and which would give PHP source away if the file were sent as it is.
//!
//! Only a name that ends in exactly `.php` is run. Its relatives (another case, `.phtml`, an editor's or an admin's
//! backup such as `config.php~` or `config.php.bak`) are neither run nor sent. A file whose name merely contains `.php`
//! is sent if its last extension says that it is something else, as of `a.php.jpg`.

/// What a script's name ends in. Bytes, never folded: CVE-2026-24895 came of folding.
pub(super) const SCRIPT_EXTENSION: &[u8] = b".php";

/// Extensions of copies that editors and admins leave behind.
const BACKUPS: [&[u8]; 7] = [b"bak", b"backup", b"old", b"orig", b"save", b"swo", b"swp"];

/// Whether the file with this name must not be sent because it is, or may well be, the source of a script.
pub(super) fn discloses_source(name: &[u8]) -> bool {
    if matches!(name.last(), Some(b'~' | b'#')) {
        return true;
    }
    let mut extensions = name.split(|byte| *byte == b'.').skip(1);
    let last = extensions.clone().filter(|extension| !extension.is_empty()).last().unwrap_or(b"");
    BACKUPS.iter().any(|backup| last.eq_ignore_ascii_case(backup))
        || extensions.any(|extension| match php_extension(extension) {
            Some(Php::Exact) => !is_something_else(last),
            Some(Php::Decorated) => true,
            None => false,
        })
}

#[derive(Debug, PartialEq, Eq)]
enum Php {
    /// As in `a.PHP`.
    Exact,
    /// As in `a.php~1`, `a.php;.jpg`, `a.php::$DATA` or `a.php `.
    Decorated,
}

/// Whether an extension is one that some server runs as PHP, or what one includes.
fn php_extension(extension: &[u8]) -> Option<Php> {
    let end = extension.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(extension.len());
    let word = &extension[..end];
    let is_php = match word.split_at_checked(3) {
        Some((php, rest)) if php.eq_ignore_ascii_case(b"php") => {
            rest.iter().all(u8::is_ascii_digit) || rest.eq_ignore_ascii_case(b"s") || rest.eq_ignore_ascii_case(b"t")
        }
        _ => [&b"phtml"[..], b"pht", b"phar", b"inc"].iter().any(|other| word.eq_ignore_ascii_case(other)),
    };
    is_php.then_some(if end == extension.len() { Php::Exact } else { Php::Decorated })
}

/// Whether this extension promises content that nobody keeps source in.
fn is_something_else(extension: &[u8]) -> bool {
    let guess = std::str::from_utf8(extension).ok().and_then(|extension| mime_guess::from_ext(extension).first_raw());
    guess.is_some_and(|media_type| {
        ["image/", "audio/", "video/", "font/"].iter().any(|kind| media_type.starts_with(kind))
            || ["text/css", "text/javascript"].contains(&media_type)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relatives_of_php_and_backups_are_source() {
        for name in [
            "x.php",
            "x.PHP",
            "x.pHp",
            "x.php3",
            "x.php8",
            "x.php74",
            "x.phtml",
            "x.PHTML",
            "x.phps",
            "x.phpt",
            "x.phar",
            "x.pht",
            "x.inc",
            "x.php.",
            "x.php..",
            "x.php ",
            "x.php. ",
            "x.php~",
            "x.php.bak",
            "x.php.swp",
            ".x.php.swp",
            "x.php.orig",
            "x.php.save",
            "x.php.old",
            "x.php.1",
            "x.php.txt",
            "x.php.dist",
            "x.php.gz",
            "x.php_old",
            "x.php-2024",
            "#x.php#",
            "x.php;.jpg",
            "x.php::$DATA",
            "x.php::$DATA.jpg",
            "x.css~",
            "x.css.bak",
            "x.conf.OLD",
            "x.inc.html",
            "x.php\u{a0}",
        ] {
            assert!(discloses_source(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn other_files_are_not() {
        for name in [
            "x",
            "",
            "x.",
            "x.css",
            "php",
            "php.css",
            "x.phpx",
            "x.phpinfo",
            "xphp",
            "a.php.jpg",
            "a.php.css",
            "a.php.min.js",
            "x.include",
            "x.incl",
            "inc.html",
            "x.html",
            "x.phone",
            "x.ph",
            "bak",
            "old.html",
            "x.pdf",
            "x~y.txt",
            "x.js.gz",
        ] {
            assert!(!discloses_source(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn letters_that_only_look_like_php_are_letters() {
        for name in ["x.ｐｈｐ", "x.PＨP", "x.𝐩𝐡𝐩", "x.ⓟⓗⓟ"] {
            assert!(!discloses_source(name.as_bytes()), "{name}");
        }
    }
}
