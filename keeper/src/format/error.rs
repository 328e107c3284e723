//! Where a text is wrong, and why.

/// A text that is not a document. Line and column count from 1, the column in characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    /// Which line.
    pub line: u32,
    /// Which character of it.
    pub column: u32,
    /// What is wrong there: one sentence, without a full stop.
    pub message: String,
}

impl SyntaxError {
    /// An error at a place that a parser named by line and column. Parsers that count from 0 at the end of a text are
    /// brought back into it.
    pub(super) fn at(line: usize, column: usize, message: impl Into<String>) -> Self {
        let count = |number: usize| u32::try_from(number.max(1)).unwrap_or(u32::MAX);
        Self { line: count(line), column: count(column), message: first_line(message.into()) }
    }

    /// An error at a byte of `text`.
    pub(crate) fn at_byte(text: &str, byte: usize, message: impl Into<String>) -> Self {
        let before = &text.as_bytes()[..byte.min(text.len())];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
        let lines = before.iter().filter(|b| **b == b'\n').count();
        let column = before[line_start..].iter().filter(|b| !is_continuation(**b)).count();
        Self::at(lines + 1, column + 1, message)
    }
}

/// Libraries may show an excerpt below their sentence; the caller has the text itself.
fn first_line(mut message: String) -> String {
    if let Some(end) = message.find(['\n', '\r']) {
        message.truncate(end);
    }
    message
}

/// Whether a byte goes on with a character that began before it.
pub(super) const fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}
