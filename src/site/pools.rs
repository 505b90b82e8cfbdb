//! Which PHP threads are for a request, by its path and by the script that answers it. Pure.
//!
//! Both count, since one script has many paths: behind a front controller nothing but the path tells requests apart, and
//! for a script of its own `/export.php`, `/export.php/x`, and perhaps `/` and everything else are the same. A front
//! controller is often asked with the path behind its name, too, and takes `/index.php/reports/` for `/reports/`.

use super::header_rules::{decoded, matches};
use crate::exchange::Script;

/// What named pools of threads are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pools {
    /// The paths of each, in order: of URLs, decoded and without the query, or of scripts. `*` stands for any bytes,
    /// slashes included, and a slash at the end for all that lies below.
    pub patterns: Vec<String>,
}

impl Pools {
    /// The number of the first one that is for the path, as sent, or for the script that answers it, counted from 1; 0
    /// if none is.
    pub fn select(&self, path: &[u8], script: &Script) -> usize {
        if self.patterns.is_empty() {
            return 0;
        }
        let path = decoded(path);
        let names = [&*path, &script.name, &script.path_info];
        let is_for_it = |pattern: &String| {
            let pattern = pattern.as_bytes();
            // An empty PATH_INFO is none.
            let is_for = |name: &[u8]| matches(pattern, name) || pattern.ends_with(b"/") && name.starts_with(pattern);
            names.into_iter().filter(|name| !name.is_empty()).any(is_for)
        };
        self.patterns.iter().position(is_for_it).map_or(0, |index| index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools(patterns: &[&str]) -> Pools {
        Pools { patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect() }
    }

    fn script(name: &str, path_info: &str) -> Script {
        Script { document_root: b"/srv"[..].into(), name: name.into(), path_info: path_info.into() }
    }

    #[test]
    fn the_first_that_matches_the_decoded_path() {
        let pools = pools(&["/reports/", "*.slow.php", "/a*"]);
        let front_controller = script("/index.php", "");
        for (path, number) in [
            ("/reports/", 1),
            ("/reports/x/y.php", 1),
            ("/%72eports/a.slow.php", 1),
            ("/x/../reports/a", 1),
            ("/reports%2fa", 1),
            ("//reports/a", 1),
            ("/./reports//a", 1),
            ("/reports", 0),
            ("/reportsx", 0),
            ("/Reports/", 0),
            ("/b/c.slow.php", 2),
            ("/a.slow.php", 2),
            ("/a/b", 3),
            ("/b/a", 0),
            ("/%zz", 0),
        ] {
            assert_eq!(pools.select(path.as_bytes(), &front_controller), number, "{path}");
        }
        assert_eq!(Pools::default().select(b"/reports/", &front_controller), 0);
    }

    #[test]
    fn a_script_keeps_to_its_pool_by_whatever_path_it_is_asked_for() {
        let pools = pools(&["/reports/", "*/export.php", "/shop/index.php"]);
        for (path, name, path_info, number) in [
            ("/export.php", "/export.php", "", 2),
            ("/export.php/x", "/export.php", "/x", 2),
            ("/a/%65xport.php/x.php", "/a/export.php", "/x.php", 2),
            ("/shop/", "/shop/index.php", "", 3),
            ("/shop/index.php/cart", "/shop/index.php", "/cart", 3),
            // What a front controller takes for its path.
            ("/index.php/reports/1", "/index.php", "/reports/1", 1),
            ("/index.php/report", "/index.php", "/report", 0),
            ("/", "/index.php", "", 0),
        ] {
            assert_eq!(pools.select(path.as_bytes(), &script(name, path_info)), number, "{path}");
        }
        let everything = Pools { patterns: vec!["/index.php".to_owned()] };
        assert_eq!(everything.select(b"/missing", &script("/index.php", "")), 1, "the front controller's own");
    }
}
