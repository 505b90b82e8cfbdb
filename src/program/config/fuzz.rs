//! Properties of the configuration for any text: fuzz targets and tests share them.

use std::path::Path;

use super::file;
use super::{Draft, KEYS, Mode, Source};

/// Any text is a configuration, or one line of error that says where, what was wanted and what was found.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("ephpm.toml");
    let loaded = file::parse(path, text).and_then(|assignments| {
        let mut draft = Draft::new(Mode::Production);
        draft.apply(&assignments)?;
        draft.finish(&Source::File(path.to_owned()))
    });
    let Err(error) = loaded else { return };
    let line = error.to_string();
    assert!(!line.contains(|c: char| c.is_control()), "one printable line: {line:?}");
    assert!(!line.ends_with(['.', ' ', ':']), "{line}");
    let rest = line.strip_prefix("ephpm.toml").unwrap_or_else(|| panic!("no place: {line}"));
    let (place, problem) = rest.split_once(": ").unwrap_or_else(|| panic!("no problem: {line}"));
    if let Some(number) = place.strip_prefix(':').and_then(|place| place.split(':').next()) {
        let number = number.parse::<usize>().unwrap_or_else(|_| panic!("no line number: {line}"));
        assert!((1..=text.split('\n').count()).contains(&number), "{line}");
    }
    let key = problem.split_once(": ").map_or("", |(key, _)| key);
    let is_known = KEYS.iter().any(|known| known.name == key);
    // What is no TOML has a column, and the parser's own words.
    let is_syntax = place.matches(':').count() == 2;
    assert!(is_known || is_syntax || problem.contains("unknown") || problem.contains("expected"), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_has_its_form_for_cut_and_changed_files() {
        let reference = include_str!("../../../ephpm.toml");
        for at in (0..reference.len()).step_by(37).filter(|at| reference.is_char_boundary(*at)) {
            config(&reference.as_bytes()[..at]);
            config([&reference[..at], "\"\u{1}=[\n", &reference[at..]].concat().as_bytes());
            config(reference[at..].replace("# ", "").as_bytes());
        }
    }
}
