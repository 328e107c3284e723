//! Two texts that were changed, in one text that says a given value: with what people wrote beside the values, as far
//! as that can be kept.
//!
//! Tried in this order, and a try counts only if the text then says exactly the value: line by line, as every merge of
//! texts; closer, so that changes on neighbouring lines do not touch each other; our text with their values put in
//! where they stand. What is left is written anew from the value, and has no comments.

use similar::{DiffOp, TextDiff};

use super::limits::MERGED_LINES_MAX;
use super::{Patience, convert, convert::Unsayable, diff, lines, rewrite};
use crate::format::{self, Format, Value};

/// Which comments and layout a merged text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Those of both.
    Both,
    /// Ours.
    Ours,
    /// None.
    Nothing,
}

/// What both began with and what each made of it.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// What both began with.
    pub base: &'a str,
    /// What we made of it.
    pub ours: &'a str,
    /// What they made of it.
    pub theirs: &'a str,
}

/// A text that says `value`, which is what both meant; `our_value` is what our text says.
///
/// # Errors
/// The format cannot say it.
pub fn merged_text(
    format: Format,
    sides: Sides<'_>,
    our_value: &Value,
    value: &Value,
) -> Result<(String, Kept), Unsayable> {
    let Sides { base, ours, theirs } = sides;
    let says_it = |text: &String| format::parse(format, text).is_ok_and(|said| said == *value);
    let by_lines = lines::merge(base, ours, theirs).filter(says_it);
    if let Some(text) = by_lines.or_else(|| closely(base, ours, theirs).filter(says_it)) {
        return Ok((text, Kept::Both));
    }
    if let Some(text) = put_in(format, ours, our_value, value) {
        return Ok((text, Kept::Ours));
    }
    Ok((convert(value, format)?, Kept::Nothing))
}

/// What one side made of the lines that both began with.
struct Side<'a> {
    /// In front of each line, and behind the last.
    inserted: Vec<Vec<&'a str>>,
    /// Those that it changed, and what to; a line that it removed became nothing.
    changed: Vec<Option<Option<&'a str>>>,
}

impl<'a> Side<'a> {
    fn of(base: &str, text: &'a str) -> Self {
        let diff = TextDiff::configure().timeout(lines::PATIENCE).diff_lines(base, text);
        let size = base.split_inclusive('\n').count();
        let new: Vec<&str> = text.split_inclusive('\n').collect();
        let mut side = Self { inserted: vec![Vec::new(); size + 1], changed: vec![None; size] };
        for op in diff.ops() {
            if let DiffOp::Equal { .. } = op {
                continue;
            }
            let (old, mut instead) = (op.old_range(), new[op.new_range()].iter().copied());
            for at in old.clone() {
                side.changed[at] = Some(instead.next());
            }
            side.inserted[old.end].extend(instead);
        }
        side
    }
}

/// Both changes in one text, line by line, where neighbours are not in each other's way; ours where they meet.
fn closely(base: &str, ours: &str, theirs: &str) -> Option<String> {
    if [base, ours, theirs].iter().any(|text| text.lines().count() > MERGED_LINES_MAX) {
        return None;
    }
    let (our, their) = (Side::of(base, ours), Side::of(base, theirs));
    let mut lines = Vec::new();
    let old = base.split_inclusive('\n').map(Some).chain([None]).enumerate();
    for (at, line) in old {
        lines.extend(&our.inserted[at]);
        if our.inserted[at] != their.inserted[at] {
            lines.extend(&their.inserted[at]);
        }
        if let Some(line) = line {
            lines.extend(our.changed[at].or(their.changed[at]).unwrap_or(Some(line)));
        }
    }
    Some(lines::joined(lines))
}

/// A text with other values where it has values that are not to be.
fn put_in(format: Format, text: &str, said: &Value, value: &Value) -> Option<String> {
    let (mut text, mut said) = (text.to_owned(), said.clone());
    let mut patience = Patience::default();
    for change in diff(&said.clone(), value) {
        let (_, to) = (change.old?, change.new?);
        text = rewrite(format, &text, &said, &change.field, &to, &mut patience)?;
        *change.field.of_mut(&mut said)? = to;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::merge;

    fn three(format: Format, base: &str, ours: &str, theirs: &str) -> (String, Kept) {
        let read = |text| format::parse(format, text).expect("it is sound");
        let (old, our, their) = (read(base), read(ours), read(theirs));
        let merged = merge(Some(&old), Some(&our), Some(&their));
        assert_eq!(merged.conflicts, []);
        let value = merged.value.expect("something is left");
        let merged = merged_text(format, Sides { base, ours, theirs }, &our, &value).expect("it can be said");
        assert_eq!(read(&merged.0), value);
        merged
    }

    /// It was written anew, without a word, because a merge by lines takes neighbours for one change.
    #[test]
    fn changes_on_neighbouring_lines_keep_the_comments() {
        let base = "# top\n# very valuable words\na = 1 # one\nb = 2 # two\n";
        let ours = "# top\n# very valuable words\na = 10 # one\nb = 2 # two\n";
        let theirs = "# top\n# very valuable words\na = 1 # one\nb = 20 # twenty\n";
        let merged = "# top\n# very valuable words\na = 10 # one\nb = 20 # twenty\n";
        assert_eq!(three(Format::Toml, base, ours, theirs), (merged.to_owned(), Kept::Both));
        let yaml = |text: &str| text.replace(" = ", ": ");
        assert_eq!(three(Format::Yaml, &yaml(base), &yaml(ours), &yaml(theirs)), (yaml(merged), Kept::Both));
    }

    #[test]
    fn lines_that_come_and_go_beside_a_change_keep_the_comments() {
        let base = "a = 1\nb = 2 # two\nc = 3\n";
        let removed = three(Format::Toml, base, "a = 1\nc = 3\n", "a = 1\nb = 2 # two\nc = 4 # four\n");
        assert_eq!(removed, ("a = 1\nc = 4 # four\n".to_owned(), Kept::Both));
        let both =
            three(Format::Toml, base, "x = 1\na = 1\nb = 2 # two\nc = 3\n", "y = 1\na = 5\nb = 2 # two\nc = 3\n");
        assert_eq!(both, ("x = 1\ny = 1\na = 5\nb = 2 # two\nc = 3\n".to_owned(), Kept::Both));
        let same = three(Format::Toml, base, "a = 1\nb = 9\nc = 3\nz = 1\n", "a = 1\nb = 2 # two\nc = 7\nz = 1\n");
        assert_eq!(same, ("a = 1\nb = 9\nc = 7\nz = 1\n".to_owned(), Kept::Both));
        let endless = three(Format::Toml, "a = 1\nb = 1", "a = 2\nb = 1", "a = 1\nb = 2");
        assert_eq!(endless, ("a = 2\nb = 2".to_owned(), Kept::Both));
    }

    #[test]
    fn values_of_one_line_are_put_in_where_they_stand_and_the_rest_is_written_anew() {
        let base = "t = { a = 1, b = 2 } # one line\n";
        let ours = "t = { a = 10, b = 2 } # ours\n";
        let theirs = "t = { a = 1, b = 20 } # theirs\n";
        let put_in = ("t = { a = 10, b = 20 } # ours\n".to_owned(), Kept::Ours);
        assert_eq!(three(Format::Toml, base, ours, theirs), put_in);
        let (anew, kept) = three(Format::Toml, base, ours, "t = { a = 1, b = 2, c = 3 } # theirs\n");
        assert!(kept == Kept::Nothing && !anew.contains('#'), "{anew}");
    }
}
