//! The repository's text, and Rust source as rules want to see it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A Rust file.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// With comments and the insides of literals blanked: every line and column stays where it was.
    pub(crate) code: String,
    /// As written.
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), code: blank(text), text: text.to_owned() }
    }

    /// `path:line`, for a finding at a byte of the code.
    pub(crate) fn at(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.line(offset))
    }

    /// The line of a byte of the code, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.code.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    /// Where `word` stands in the code, not as a part of a longer name.
    pub(crate) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let whole = |at: usize| !self.code[..at].ends_with(is_name);
        let end = move |at: usize| !word.ends_with(is_name) || !self.code[at + word.len()..].starts_with(is_name);
        self.code.match_indices(word).map(|(at, _)| at).filter(move |at| whole(*at) && end(*at))
    }

    /// Whether a byte of the code is test code: in a `tests` folder or file, or below `#[cfg(test)] mod tests`.
    pub(crate) fn is_test(&self, offset: usize) -> bool {
        let in_folder = self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs"));
        in_folder || self.code.find("#[cfg(test)]\nmod tests {").is_some_and(|start| offset > start)
    }
}

pub(crate) fn is_name(symbol: char) -> bool {
    symbol.is_alphanumeric() || symbol == '_'
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file.
pub(crate) fn sources() -> Vec<Source> {
    texts(".rs").iter().map(|(path, text)| Source::new(path, text)).collect()
}

/// Every text file whose name ends so, with its path from the root.
pub(crate) fn texts(ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&repository(), "", &mut |path, file| {
        if path.ends_with(ending)
            && let Ok(text) = fs::read_to_string(file)
        {
            found.push((path.to_owned(), text));
        }
    });
    found.sort();
    assert!(!found.is_empty(), "no file ends in {ending:?}");
    found
}

fn walk(folder: &Path, prefix: &str, visit: &mut impl FnMut(&str, &Path)) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display()));
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.path().is_dir() {
            if !matches!(name.as_str(), "target" | ".git") {
                walk(&entry.path(), &format!("{path}/"), visit);
            }
        } else {
            visit(&path, &entry.path());
        }
    }
}

/// Replaces comments and the insides of string and character literals by spaces, byte for byte.
fn blank(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let end = at + skipped(&text.as_bytes()[at..], at > 0 && is_name(char::from(code[at - 1])));
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// How many bytes the comment or literal at the start of `rest` takes; 0 when there is none.
fn skipped(rest: &[u8], after_name: bool) -> usize {
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'\'', ..] => character(rest),
        [b'r', b'"' | b'#', ..] if !after_name => raw_string(rest, 1),
        [b'b', b'r', b'"' | b'#', ..] if !after_name => raw_string(rest, 2),
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A character, as opposed to a lifetime.
fn character(rest: &[u8]) -> usize {
    let Ok(text) = std::str::from_utf8(&rest[1..rest.len().min(8)])
        .or_else(|error| std::str::from_utf8(&rest[1..=error.valid_up_to()]))
    else {
        return 0;
    };
    let mut symbols = text.chars();
    match (symbols.next(), symbols.next()) {
        (Some('\\'), _) => quoted(rest, b'\''),
        (Some(one), Some('\'')) => one.len_utf8() + 2,
        _ => 0,
    }
}

fn raw_string(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return 0;
    }
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let inside = prefix + hashes + 1;
    let length = rest[inside..].windows(end.len()).position(|window| window == end);
    length.map_or(rest.len(), |length| inside + length + end.len())
}

#[test]
fn comments_and_literals_are_blanked() {
    let cases = [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("a\"b", 1)"#, "f(      , 1)"),
        (r##"f(r#"a"b"#, 1)"##, "f(        , 1)"),
        ("f('a', '\\'', b'{')", "f(   ,     , b   )"),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("for r in r#type", "for r in r#type"),
        ("'é' {", "     {"),
    ];
    for (text, code) in cases {
        assert_eq!(blank(text), code, "{text}");
    }
}

#[test]
fn test_code_is_told_from_the_rest() {
    let source = Source::new("keeper/src/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n");
    assert!(!source.is_test(source.code.find("fn a").unwrap()));
    assert!(source.is_test(source.code.find("fn b").unwrap()));
    assert!(Source::new("keeper/tests/a.rs", "fn a() {}").is_test(0));
    assert!(Source::new("keeper/src/format/tests.rs", "fn a() {}").is_test(0));
}
