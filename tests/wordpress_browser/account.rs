//! Holds everything that the browsers have received and said to account.

use std::collections::{BTreeMap, BTreeSet};

use crate::Site;
use crate::support::browser::Exchange;

/// What is allowed to go wrong, from `allowed.txt`.
pub(crate) struct Allowed(Vec<(String, String)>);

impl Allowed {
    pub(crate) fn read() -> Self {
        let lines = include_str!("allowed.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(
            lines
                .map(|line| {
                    let mut parts = line.split(" | ").map(str::trim);
                    let (Some(kind), Some(part), Some(_reason)) = (parts.next(), parts.next(), parts.next()) else {
                        panic!("expected \"kind | part | reason\", found {line:?}");
                    };
                    (kind.to_owned(), part.to_owned())
                })
                .collect(),
        )
    }

    pub(crate) fn permits(&self, kind: &str, text: &str) -> bool {
        self.0.iter().any(|(known, part)| known == kind && text.contains(part))
    }
}

impl Site {
    pub(crate) fn hold_to_account(&mut self) {
        let own = self.server.url();
        let mut faults = BTreeSet::new();
        let (mut kinds, mut count) = (BTreeMap::<_, usize>::new(), 0);
        for (who, browser) in [("owner", &mut self.owner), ("visitor", &mut self.visitor)] {
            let record = browser.record();
            for exchange in &record.exchanges {
                count += 1;
                if exchange.url.starts_with(&own) && exchange.status.is_some() {
                    *kinds.entry((exchange.kind.clone(), exchange.media_type.clone())).or_default() += 1;
                }
                let Some(fault) = fault(exchange, &own) else { continue };
                let line = format!("{} {}: {fault}", exchange.method, exchange.url);
                if !self.allowed.permits("network", &line) {
                    faults.insert(format!("{who}: {line}"));
                }
            }
            for message in &record.console_errors {
                if !self.allowed.permits("console", message) {
                    faults.insert(format!("{who}: console: {message}"));
                }
            }
        }
        println!("{count} exchanges; those of this server:");
        for ((kind, media_type), count) in &kinds {
            println!("{count:6} {kind} {media_type}");
        }
        let faults = faults.into_iter().collect::<Vec<_>>().join("\n");
        assert!(faults.is_empty(), "none of this is in allowed.txt:\n{faults}");
        for kind in ["Document", "Stylesheet", "Script", "Image", "Font", "XHR", "Fetch"] {
            assert!(kinds.keys().any(|(known, _)| known == kind), "the browsers loaded no {kind}");
        }
    }
}

/// What is wrong with how an exchange ended.
fn fault(exchange: &Exchange, own: &str) -> Option<String> {
    if let Some(error) = &exchange.error {
        return Some(error.clone());
    }
    // None: the page was left before.
    let status = exchange.status.filter(|_| exchange.url.starts_with(own))?;
    if status >= 400 {
        return Some(status.to_string());
    }
    let expected: &[&str] = match exchange.kind.as_str() {
        _ if status != 200 => return None,
        "Document" => &["text/html", "image/"],
        "Stylesheet" => &["text/css"],
        "Script" => &["text/javascript", "application/javascript"],
        "Image" => &["image/"],
        "Font" => &["font/"],
        _ => return None,
    };
    let fits = expected.iter().any(|start| exchange.media_type.starts_with(start));
    (!fits).then(|| format!("{} as {}", exchange.media_type, exchange.kind))
}
