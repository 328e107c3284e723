//! How data looks: tables for people, JSON for programs.
//!
//! A table is text in columns, without lines, colours or regard for the terminal's width, so that it reads the same in
//! a pipe, in a log and in a test. What the servers hold is other people's text: control characters are shown, not
//! obeyed.

use std::time::{Duration, SystemTime};

use comfy_table::Table;
use serde::Serialize;

use crate::failure::Failure;

/// Spaces between two columns.
const GAP: u16 = 2;

/// What stands in a cell that has nothing to say.
const NOTHING: &str = "-";

/// The last moment that has a name of four digits for its year.
const NAMED_MS_MAX: u64 = 253_402_300_799_999;

/// What a command found or did. Its fields are the JSON.
pub(crate) trait Report: Serialize {
    /// The same for people, with a line feed at the end; empty when there is nothing.
    fn table(&self) -> String;
}

/// Rows under their headings; nothing when there are none.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.set_header(headings);
    for row in rows {
        table.add_row(row.map(cell));
    }
    if table.row_count() == 0 {
        return String::new();
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.load_style(comfy_table::presets::NOTHING);
    table.trim_fmt() + "\n"
}

/// Names and values, one a line.
pub(crate) fn fields<const N: usize>(fields: [(&str, String); N]) -> String {
    table(["FIELD", "VALUE"], fields.map(|(name, value)| [name.to_owned(), value]))
}

/// Several tables, an empty line between them; those with nothing in them are left out.
pub(crate) fn sections(tables: impl IntoIterator<Item = String>) -> String {
    let tables: Vec<_> = tables.into_iter().filter(|table| !table.is_empty()).collect();
    tables.join("\n")
}

/// One line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string(value).map_err(|error| Failure::failed(format!("cannot write JSON: {error}")))?;
    Ok(json + "\n")
}

/// A moment of log time, to the second.
pub(crate) fn second(unix_ms: u64) -> String {
    instant(unix_ms).map_or_else(|| format!("{unix_ms} ms"), |at| humantime::format_rfc3339_seconds(at).to_string())
}

/// A moment of log time, to the millisecond.
pub(crate) fn millisecond(unix_ms: u64) -> String {
    instant(unix_ms).map_or_else(|| format!("{unix_ms} ms"), |at| humantime::format_rfc3339_millis(at).to_string())
}

/// An opaque number, as people compare it: by its look.
pub(crate) fn hex(number: u64) -> String {
    format!("{number:016x}")
}

/// Several in one cell.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join(",")
}

/// Names with values in one cell.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    list(pairs.into_iter().map(|(name, value)| format!("{name}={value}")))
}

/// A number of things, in words.
pub(crate) fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// Text that cannot move the cursor, end its line or turn it around.
pub(crate) fn printable(text: &str) -> String {
    let turns = |it| matches!(it, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = |it: char| it.is_control() || turns(it);
    if !text.contains(hides) {
        return text.to_owned();
    }
    text.chars().map(|it| if hides(it) { it.escape_default().to_string() } else { it.to_string() }).collect()
}

fn cell(text: String) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { printable(&text) }
}

fn instant(unix_ms: u64) -> Option<SystemTime> {
    (unix_ms <= NAMED_MS_MAX).then(|| SystemTime::UNIX_EPOCH + Duration::from_millis(unix_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(rows: &[[&str; 2]]) -> String {
        table(["NAME", "VALUE"], rows.iter().map(|row| row.map(String::from)))
    }

    #[test]
    fn columns_are_as_wide_as_what_they_hold() {
        assert_eq!(two(&[["a", "1"], ["longer", ""]]), "NAME    VALUE\na       1\nlonger  -\n");
        assert_eq!(two(&[["用户", "1"], ["b", "2"]]), "NAME  VALUE\n用户  1\nb     2\n");
    }

    #[test]
    fn long_values_stay_on_their_line() {
        let long = "x ".repeat(200);
        assert_eq!(two(&[["a", long.trim_end()]]).lines().count(), 2);
    }

    #[test]
    fn no_rows_are_nothing() {
        assert_eq!(two(&[]), "");
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(two(&[["a\nb", "\u{1b}[2J\u{202e}x"]]), "NAME  VALUE\na\\nb  \\u{1b}[2J\\u{202e}x\n");
    }

    #[test]
    fn moments_have_names() {
        assert_eq!(second(1_795_361_762_345), "2026-11-22T15:36:02Z");
        assert_eq!(millisecond(1_795_361_762_345), "2026-11-22T15:36:02.345Z");
        assert_eq!(millisecond(u64::MAX), "18446744073709551615 ms");
    }
}
