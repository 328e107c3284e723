//! How long a file, a function and a line may be.

use crate::{Finding, source::Source};

/// A file this long deserves a second look.
pub(crate) const FILE_LINES_LONG: usize = 400;
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 120;

pub(crate) fn file(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    let finding = || format!("{}: {lines} lines; split it, {FILE_LINES_MAX} is the end", source.path);
    (lines > FILE_LINES_MAX).then(finding).into_iter().collect()
}

pub(crate) fn long_files(sources: &[Source]) -> Vec<(&str, usize)> {
    let lengths = sources.iter().map(|source| (source.path.as_str(), source.text.lines().count()));
    lengths.filter(|(_, lines)| *lines > FILE_LINES_LONG).collect()
}

/// A long literal may stand in one line: broken up it could not be searched for.
pub(crate) fn lines(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, (line, code)) in source.text.lines().zip(source.code.lines()).enumerate() {
        let columns = line.chars().count();
        let comment = line.trim_start().starts_with("//");
        let breakable = comment || code.split_whitespace().map(|word| word.len() + 1).sum::<usize>() > LINE_COLUMNS_MAX;
        if columns > LINE_COLUMNS_MAX && (breakable || !line.contains('"')) {
            findings.push(format!("{}:{}: {columns} columns of {LINE_COLUMNS_MAX}", source.path, at + 1));
        }
    }
    findings
}

pub(crate) fn functions(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for start in source.words("fn ") {
        let Some(end) = body_end(&source.code, start) else { continue };
        let lines = source.line(end) - source.line(start) + 1;
        if lines > FUNCTION_LINES_MAX {
            findings
                .push(format!("{}: a function of {lines} lines; {FUNCTION_LINES_MAX} is the end", source.at(start)));
        }
    }
    findings
}

/// The closing brace of the function that starts here; none when it has no body.
fn body_end(code: &str, start: usize) -> Option<usize> {
    let mut brackets = 0usize;
    let mut braces = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if braces == 0 && brackets == 0 => return None,
            b'{' => braces += 1,
            b'}' if braces <= 1 => return Some(at),
            b'}' => braces -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(file(&Source::new("a.rs", &"x\n".repeat(FILE_LINES_MAX))), [""; 0]);
    let long = Source::new("a.rs", &"x\n".repeat(FILE_LINES_MAX + 1));
    assert_eq!(file(&long), ["a.rs: 601 lines; split it, 600 is the end"]);
    assert_eq!(long_files(&[long]), [("a.rs", 601)]);
}

#[test]
fn a_long_function_is_found() {
    let of = |lines: usize| Source::new("a.rs", &format!("fn a(x: [u8; 4]) {{{}}}", "\n{}".repeat(lines - 1)));
    assert_eq!(functions(&of(FUNCTION_LINES_MAX)), [""; 0]);
    assert_eq!(functions(&of(FUNCTION_LINES_MAX + 1)), ["a.rs:1: a function of 71 lines; 70 is the end"]);
    let declared = Source::new("a.rs", &format!("fn a(x: [u8; 4]);{}{{}}", "\n".repeat(100)));
    assert_eq!(functions(&declared), [""; 0]);
}

#[test]
fn a_long_line_is_found() {
    let found = |text: &str| lines(&Source::new("a.rs", text));
    assert_eq!(found(&"é".repeat(LINE_COLUMNS_MAX)), [""; 0]);
    assert_eq!(found(&"é".repeat(LINE_COLUMNS_MAX + 1)), ["a.rs:1: 121 columns of 120"]);
    assert_eq!(found(&format!("f(\"{}\")", "x".repeat(LINE_COLUMNS_MAX))), [""; 0]);
    assert_eq!(found(&format!("// \"{}\"", "x".repeat(LINE_COLUMNS_MAX))), ["a.rs:1: 125 columns of 120"]);
}
