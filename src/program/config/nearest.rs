//! "Did you mean …?": the known word that is nearest to an unknown one.

/// The candidate that a misspelt word most likely stands for: the one with the fewest edits of
/// single letters (the first of several), unless they are too many to be a slip. Case is ignored,
/// and so is the difference between `-` and `_`.
pub(in crate::program) fn nearest<T>(
    word: &str,
    candidates: impl IntoIterator<Item = T>,
    spelling: impl Fn(&T) -> &str,
) -> Option<T> {
    let edits_max = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edits(word, spelling(&candidate)), candidate))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, row by row.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().map(fold).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().map(fold).enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

fn fold(letter: char) -> char {
    if letter == '-' { '_' } else { letter.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let table = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("workers", "workers", 0),
            ("worker", "workers", 1),
            ("wrokers", "workers", 2),
            ("Document-Root", "document_root", 0),
            ("kitten", "sitting", 3),
        ];
        for (from, to, expected) in table {
            assert_eq!(edits(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let words = ["listen", "level", "format"];
        assert_eq!(nearest("lisen", words, |word| word), Some("listen"));
        assert_eq!(nearest("LEVEL", words, |word| word), Some("level"));
        assert_eq!(nearest("root", words, |word| word), None);
        assert_eq!(nearest("", words, |word| word), None);
    }
}
