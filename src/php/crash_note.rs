//! What is noted of a request while it runs, for whoever looks after a crash: `GET /a.php?b (/srv/a.php)`.

use super::scoreboard::Told;
use crate::base::black_box::{Record, TEXT_BYTES_MAX};

/// Both the URI and the path have room, however long the other is.
const PART_BYTES_MAX: usize = TEXT_BYTES_MAX / 2 - 16;

/// Notes a request.
pub(super) fn note(record: Record, request: &Told<'_>) {
    let [root, name] = request.script;
    let root = cut(root, PART_BYTES_MAX);
    let name = cut(name, PART_BYTES_MAX - root.len());
    record.write(&[request.method.as_bytes(), b" ", cut(request.uri, PART_BYTES_MAX), b" (", root, name, b")"]);
}

fn cut(text: &[u8], max: usize) -> &[u8] {
    &text[..text.len().min(max)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::black_box::BlackBox;

    #[test]
    fn uri_and_script_are_noted_however_long_they_are() {
        let black_box = BlackBox::new(1).unwrap();
        let record = black_box.record(0).unwrap();
        note(record, &Told { method: "GET", uri: b"/a.php?b", script: [b"/srv", b"/a.php"] });
        assert_eq!(black_box.take(), [b"GET /a.php?b (/srv/a.php)"]);
        let long = [b'x'; 9000];
        for script in [[&long[..], b"/a.php"], [b"/srv", &long]] {
            note(record, &Told { method: "PROPFIND", uri: &long, script });
            let text = black_box.take().remove(0);
            assert!(text.starts_with(b"PROPFIND xxx") && text.ends_with(b"xxx)"), "{}", text.len());
        }
    }
}
