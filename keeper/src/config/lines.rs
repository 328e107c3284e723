//! Texts, line by line: for people to read, and to keep comments where two changes meet.
//!
//! Which lines belong together is a guess, as everywhere. So nothing is decided by it: a merge by lines counts only if
//! it says what the merge by fields says.

use std::fmt::Write as _;
use std::time::Duration;

use similar::{MergeResolution, TextDiff, TextMerge};

use super::limits::MERGED_LINES_MAX;

/// Lines around what differs.
const CONTEXT: usize = 3;

/// How long the shortest difference is sought; after that any is good enough.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

/// What differs, as a unified diff of at most so many bytes; empty when nothing does.
#[must_use]
pub fn unified(old: &str, new: &str, old_name: &str, new_name: &str, bytes_max: usize) -> String {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let mut shown = diff.unified_diff();
    let shown = shown.context_radius(CONTEXT).header(old_name, new_name);
    let mut text = String::new();
    if diff.ratio() < 1.0 {
        _ = write!(Bounded { text: &mut text, bytes_max }, "{shown}");
    }
    if text.len() >= bytes_max {
        text.push_str("\n...\n");
    }
    text
}

/// Both changes in one text, ours where they meet; none: there are too many lines.
#[must_use]
pub fn merge(base: &str, ours: &str, theirs: &str) -> Option<String> {
    if [base, ours, theirs].iter().any(|text| text.lines().count() > MERGED_LINES_MAX) {
        return None;
    }
    let merged = TextMerge::from_lines(base, ours, theirs);
    let lines = merged.regions().iter().flat_map(|region| {
        let (ours, theirs) = (region.ours_range(), region.theirs_range());
        let is_theirs = region.resolution() == MergeResolution::Theirs;
        let ours = ours.filter(move |_| !is_theirs).filter_map(|line| merged.ours_line(line));
        let theirs = theirs.filter(move |_| is_theirs).filter_map(|line| merged.theirs_line(line));
        ours.chain(theirs)
    });
    Some(joined(lines))
}

/// One text of lines with their ends. The last line of a file may have none, and come to stand in the middle.
pub(super) fn joined<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
    }
    text
}

/// Takes what fits.
struct Bounded<'a> {
    text: &'a mut String,
    bytes_max: usize,
}

impl std::fmt::Write for Bounded<'_> {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        let room = self.bytes_max.saturating_sub(self.text.len());
        let end = (0..=room.min(more.len())).rev().find(|end| more.is_char_boundary(*end)).unwrap_or_default();
        self.text.push_str(&more[..end]);
        if end < more.len() { Err(std::fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_both_sides_are_kept() {
        let base = "# base\na = 1\nb = 1\nc = 1\nd = 1\n";
        let ours = "# ours\na = 2\nb = 1\nc = 1\nd = 1\n";
        let theirs = "# base\na = 1\nb = 1\nc = 1\nd = 2 # theirs";
        assert_eq!(merge(base, ours, theirs).as_deref(), Some("# ours\na = 2\nb = 1\nc = 1\nd = 2 # theirs"));
        assert_eq!(merge(base, "a = 2\n", "a = 3\n").as_deref(), Some("a = 2\n"), "ours, where they disagree");
        assert_eq!(merge(&"x\n".repeat(MERGED_LINES_MAX + 1), "", ""), None);
    }

    #[test]
    fn a_difference_is_shown_within_bounds() {
        let shown = unified("a\nb\nc\n", "a\nx\nc\n", "old", "new", 1_024);
        assert_eq!(shown, "--- old\n+++ new\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
        assert_eq!(unified("a\n", "a\n", "old", "new", 1_024), "");
        let cut = unified(&"å\n".repeat(1_000), "", "old", "new", 100);
        assert!(cut.len() <= 105 && cut.ends_with("\n...\n"), "{cut}");
    }
}
