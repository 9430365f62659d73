//! "Did you mean …?"

/// More changes than this, and the word is another word.
const DISTANCE_MAX: usize = 2;

/// The candidate that `word` is most likely a slip of.
pub(super) fn nearest(word: &str, candidates: &[&'static str]) -> Option<&'static str> {
    let near = candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate));
    near.filter(|(changes, candidate)| *changes <= DISTANCE_MAX && *changes < candidate.len())
        .min()
        .map(|(_, found)| found)
}

/// Levenshtein's distance in bytes, one row at a time; [`usize::MAX`] for words of very different length, which also
/// keeps a key of a megabyte cheap.
fn distance(from: &str, to: &str) -> usize {
    if from.len().abs_diff(to.len()) > DISTANCE_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from_byte) in from.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to_byte) in to.bytes().enumerate() {
            let substituted = diagonal + usize::from(from_byte != to_byte);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
