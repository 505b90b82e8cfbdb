//! What `--version` says: this program, and the PHP that is linked into it.
//!
//! Who asks PHP for its version and extensions fills [`PhpInfo`]; this module does not know PHP.

/// The PHP that is linked in, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhpInfo {
    /// `PHP_VERSION`.
    pub version: String,
    /// The Zend engine's version, where it is known.
    pub zend_version: Option<String>,
    /// Whether it is built for threads.
    pub zts: bool,
    /// The names of its extensions.
    pub extensions: Vec<String>,
}

/// The text of `--version`: at most 80 columns.
pub fn version_text(php: Option<&PhpInfo>) -> String {
    let mut text = format!("ePHPm {}\n", env!("CARGO_PKG_VERSION"));
    let Some(php) = php else {
        text.push_str("built without PHP\n");
        return text;
    };
    let threads = if php.zts { "ZTS" } else { "NTS" };
    let zend = php.zend_version.as_ref().map(|version| format!(", Zend Engine {version}"));
    text.push_str(&format!("PHP {} ({threads}){}", php.version, zend.unwrap_or_default()));
    text.push_str("\nExtensions:");
    let mut extensions: Vec<&str> = php.extensions.iter().map(String::as_str).collect();
    extensions.sort_by_key(|name| name.to_ascii_lowercase());
    let mut column = "Extensions:".len();
    for name in extensions {
        if column + 1 + name.len() > 80 {
            text.push_str("\n ");
            column = 1;
        }
        text.push(' ');
        text.push_str(name);
        column += 1 + name.len();
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_names_php() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(version_text(None), format!("ePHPm {version}\nbuilt without PHP\n"));

        let words = "zlib Core date libxml openssl pcre sqlite3 ctype curl dom fileinfo filter gd hash";
        let php = PhpInfo {
            version: "8.4.24".to_owned(),
            zend_version: Some("4.4.24".to_owned()),
            zts: true,
            extensions: words.split(' ').map(str::to_owned).collect(),
        };
        let expected = format!(
            "ePHPm {version}\nPHP 8.4.24 (ZTS), Zend Engine 4.4.24\n\
             Extensions: Core ctype curl date dom fileinfo filter gd hash libxml openssl pcre\n  \
             sqlite3 zlib\n"
        );
        assert_eq!(version_text(Some(&php)), expected);

        let php = PhpInfo { zend_version: None, zts: false, extensions: Vec::new(), ..php };
        let expected = format!("ePHPm {version}\nPHP 8.4.24 (NTS)\nExtensions:\n");
        assert_eq!(version_text(Some(&php)), expected);
    }
}
