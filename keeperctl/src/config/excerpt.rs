//! The place of a syntax error, shown in the text it was found in.
//!
//! The servers say `line 3, column 7: ...` within one sentence. Where they do not, or the place lies outside the text,
//! nothing is shown: an excerpt helps people and promises nothing.

use crate::{failure::Failure, limits, render};

/// A place in a text; both count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

/// The failure, with the lines around the place it names.
pub(super) fn beside(failure: Failure, text: &str) -> Failure {
    match place(&failure.message).and_then(|place| excerpt(text, place)) {
        Some(excerpt) => failure.remedy(excerpt),
        None => failure,
    }
}

fn place(message: &str) -> Option<Place> {
    let (_, rest) = message.split_once("line ")?;
    let (line, rest) = rest.split_once(", column ")?;
    let digits = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
    Some(Place { line: line.parse().ok()?, column: rest[..digits].parse().ok()? })
}

fn excerpt(text: &str, Place { line, column }: Place) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    // A parser that missed something until the end names the line behind the last.
    let wrong = line.checked_sub(1).filter(|wrong| *wrong <= lines.len())?;
    let first = wrong.saturating_sub(limits::EXCERPT_LINES_AROUND);
    let last = (wrong + limits::EXCERPT_LINES_AROUND).min(lines.len().saturating_sub(1)).max(wrong);
    let width = (last + 1).to_string().len();
    let column = column.max(1);
    // Every line is cut alike, so that the mark stays below its character.
    let cut = column.saturating_sub(limits::EXCERPT_COLUMNS_MAX / 2 + 1);
    let mut shown = Vec::new();
    for index in first..=last {
        let line = lines.get(index).copied().unwrap_or_default();
        let piece: String = line.chars().skip(cut).take(limits::EXCERPT_COLUMNS_MAX).collect();
        shown.push(
            format!("{:>width$} | {}", index + 1, render::printable(&piece.replace('\t', " "))).trim_end().to_owned(),
        );
        if index == wrong {
            shown.push(format!("{:width$} | {:>mark$}", "", "^", mark = column - cut));
        }
    }
    Some(shown.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, message: &str) -> Vec<String> {
        beside(Failure::refused(message), text).remedies
    }

    #[test]
    fn the_place_is_marked() {
        let text = "a = 1\nb = 2\n\tc = = 3\nd = 4\ne = 5\nf = 6\n";
        let expected = "\
1 | a = 1
2 | b = 2
3 |  c = = 3
  |      ^
4 | d = 4
5 | e = 5";
        assert_eq!(shown(text, "line 3, column 6: no value"), [expected]);
    }

    #[test]
    fn the_end_of_a_text_is_a_place() {
        assert_eq!(shown("[a", "line 1, column 3: a bracket is open"), ["1 | [a\n  |   ^"]);
        assert_eq!(shown("[a\n", "line 2, column 1: a bracket is open"), ["1 | [a\n2 |\n  | ^"]);
        assert_eq!(shown("", "line 1, column 1: nothing here"), ["1 |\n  | ^"]);
    }

    #[test]
    fn long_lines_are_cut_around_it() {
        let text = format!("{}!{}", "a".repeat(500), "b".repeat(500));
        let shown = shown(&text, "line 1, column 501: x");
        let lines: Vec<&str> = shown[0].lines().collect();
        assert_eq!(lines[0].find('!'), lines[1].find('^'));
        assert!(lines[0].len() < 120);
    }

    #[test]
    fn no_place_shows_nothing() {
        for message in ["no such line", "line x, column 1: y", "line 9, column 1: far away", "line 0, column 0: odd"] {
            assert_eq!(shown("a\n", message), [""; 0], "{message}");
        }
    }
}
