//! Names from text, with a helpful answer to a wrong one.

/// Something with a fixed list of names.
pub(crate) trait Named: Copy + 'static {
    /// All of them, in order.
    const EVERY: &'static [Self];

    fn name_of(self) -> &'static str;
}

/// The one whose name is nearest by edit distance; the first of equals.
pub(crate) fn nearest<T: Named>(given: &str) -> T {
    let mut nearest = (usize::MAX, T::EVERY[0]);
    for &item in T::EVERY {
        let distance = edit_distance(given, item.name_of());
        if distance < nearest.0 {
            nearest = (distance, item);
        }
    }
    nearest.1
}

/// The names, separated by commas.
pub(crate) fn known<T: Named>() -> String {
    let names: Vec<&str> = T::EVERY.iter().map(|item| item.name_of()).collect();
    names.join(", ")
}

/// Levenshtein's distance: the fewest insertions, deletions and substitutions, blind to ASCII case.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(!ca.eq_ignore_ascii_case(cb));
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distances() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("abc", ""), 3);
        assert_eq!(edit_distance("abc", "ABC"), 0);
    }
}
