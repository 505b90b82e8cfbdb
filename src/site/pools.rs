//! Which PHP threads are for a request, by its path. Pure.

use super::header_rules::{decoded, matches};

/// What named pools of threads are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pools {
    /// The paths of each, in order: decoded, without the query. `*` stands for any bytes, slashes included, and a slash at
    /// the end for all that lies below.
    pub patterns: Vec<String>,
}

impl Pools {
    /// The number of the first one that is for this path, as sent, counted from 1; 0 if none is.
    pub fn select(&self, path: &[u8]) -> usize {
        if self.patterns.is_empty() {
            return 0;
        }
        let path = decoded(path);
        let is_for_it = |pattern: &String| {
            let pattern = pattern.as_bytes();
            matches(pattern, &path) || pattern.ends_with(b"/") && path.starts_with(pattern)
        };
        self.patterns.iter().position(is_for_it).map_or(0, |index| index + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_matches_the_decoded_path() {
        let pools = Pools { patterns: ["/reports/", "*.slow.php", "/a*"].map(str::to_owned).to_vec() };
        for (path, number) in [
            ("/reports/", 1),
            ("/reports/x/y.php", 1),
            ("/%72eports/a.slow.php", 1),
            ("/x/../reports/a", 1),
            ("/reports", 0),
            ("/reportsx", 0),
            ("/b/c.slow.php", 2),
            ("/a.slow.php", 2),
            ("/a/b", 3),
            ("/b/a", 0),
            ("/%zz", 0),
        ] {
            assert_eq!(pools.select(path.as_bytes()), number, "{path}");
        }
        assert_eq!(Pools::default().select(b"/reports/"), 0);
    }
}
