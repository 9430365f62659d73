//! Tables for a terminal.

/// Longest cell; what is longer ends with `…`.
const CELL_CHARS_MAX: usize = 60;

/// Rows below a row of titles, each column as wide as its widest cell.
pub(super) fn table<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let cells: Vec<[String; N]> = std::iter::once(titles.map(str::to_owned))
        .chain(rows.iter().map(|row| row.clone().map(|text| cell(&text))))
        .collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in &cells {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Nothing that a terminal would take for a command: names come from strangers.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

fn cell(text: &str) -> String {
    let mut shown = printable(text);
    if let Some((cut, _)) = shown.char_indices().nth(CELL_CHARS_MAX) {
        let keep = shown[..cut].char_indices().next_back();
        shown.truncate(keep.map_or(0, |(last, _)| last));
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [
            ["a".to_owned(), "1".to_owned()],
            ["long name".to_owned(), String::new()],
        ];
        assert_eq!(
            table(["NAME", "N"], &rows),
            "NAME       N\na          1\nlong name\n"
        );
    }

    #[test]
    fn a_cell_is_no_command_to_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(printable("zwölf"), "zwölf");
        assert_eq!(cell(&"x".repeat(100)).chars().count(), CELL_CHARS_MAX);
        assert_eq!(cell("short"), "short");
    }
}
