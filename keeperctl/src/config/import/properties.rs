//! Java's properties, and the document that is made of them.
//!
//! A `.properties` text is a list of names with texts, and INI is what holds just that: names keep their dots, order
//! and comments stay, and a reader's schema gives the texts their types. INI has entries of one line and no escapes, so
//! a text that holds a line feed, for one, does not fit; then the whole document becomes JSON, one object of strings,
//! and loses its comments, which is said. Names are never taken apart at their dots: `a=1` and `a.b=2` stand side by
//! side in many a file, and would be one field that is a text and an object.
//!
//! What Java reads is what is read here: `=`, `:` or white space behind a name, `#` and `!` for comments, lines that go
//! on behind a backslash, `\t`, `\n`, `\r`, `\f`, `\uXXXX`, and the last of equal names. Texts are UTF-8.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

use serde_json::{Map, Value};

/// Properties in the order they were written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Properties(Vec<Line>);

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Blank,
    /// Without what marks it.
    Comment(String),
    Entry {
        name: String,
        text: String,
    },
}

/// What is made of properties.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    Ini(String),
    /// With the name that INI cannot hold, and why.
    Json {
        text: String,
        because: String,
    },
}

impl Properties {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut properties = Self::default();
        let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let line = line.trim_start();
            if line.is_empty() {
                properties.blank();
            } else if line.starts_with(['#', '!']) {
                properties.comment(&line[1..]);
            } else {
                let mut logical = line.to_owned();
                while ends_with_backslash(&logical) {
                    logical.pop();
                    let Some((_, next)) = lines.next() else { break };
                    logical.push_str(next.trim_start());
                }
                let (name, text) = entry(&logical).map_err(|why| format!("line {}: {why}", at + 1))?;
                properties.entry(name, text);
            }
        }
        Ok(properties)
    }

    pub(super) fn blank(&mut self) {
        self.0.push(Line::Blank);
    }

    pub(super) fn comment(&mut self, words: &str) {
        self.0.extend(words.lines().map(|line| Line::Comment(line.trim_end().to_owned())));
    }

    pub(super) fn entry(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.0.push(Line::Entry { name: name.into(), text: text.into() });
    }

    /// The names that stand more than once, of which the last one counts.
    pub(super) fn repeated(&self) -> Vec<&str> {
        let mut times = BTreeMap::new();
        self.entries().for_each(|(name, _)| *times.entry(name).or_insert(0_usize) += 1);
        times.into_iter().filter(|(_, times)| *times > 1).map(|(name, _)| name).collect()
    }

    pub(super) fn written(&self) -> Written {
        match self.entries().find_map(|(name, text)| Some((name, unfit(name, text)?))) {
            None => Written::Ini(self.ini()),
            Some((name, why)) => Written::Json { text: self.json(), because: format!("{name:?} {why}") },
        }
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|line| match line {
            Line::Entry { name, text } => Some((name.as_str(), text.as_str())),
            Line::Blank | Line::Comment(_) => None,
        })
    }

    fn ini(&self) -> String {
        let last: BTreeMap<_, _> = self.entries().enumerate().map(|(at, (name, _))| (name, at)).collect();
        let mut ini = String::new();
        let mut at = 0;
        for line in &self.0 {
            match line {
                Line::Blank => ini.push('\n'),
                Line::Comment(words) => ini.push_str(&format!("#{words}\n")),
                Line::Entry { name, text } => {
                    if last.get(name.as_str()) == Some(&at) {
                        ini.push_str(format!("{name} = {}", quoted(text)).trim_end());
                        ini.push('\n');
                    }
                    at += 1;
                }
            }
        }
        ini
    }

    fn json(&self) -> String {
        let object: Map<_, _> = self.entries().map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
        format!("{:#}\n", Value::Object(object))
    }
}

/// Whether a line goes on: an odd number of backslashes at its end.
fn ends_with_backslash(line: &str) -> bool {
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

fn entry(line: &str) -> Result<(String, String), String> {
    let mut rest = line.chars().peekable();
    let name = unescaped(&mut rest, |symbol| matches!(symbol, '=' | ':') || is_space(symbol))?;
    while rest.next_if(|symbol| is_space(*symbol)).is_some() {}
    if rest.next_if(|symbol| matches!(symbol, '=' | ':')).is_some() {
        while rest.next_if(|symbol| is_space(*symbol)).is_some() {}
    }
    Ok((name, unescaped(&mut rest, |_| false)?))
}

const fn is_space(symbol: char) -> bool {
    matches!(symbol, ' ' | '\t' | '\u{c}')
}

/// What is written up to an end that stands without a backslash.
fn unescaped(rest: &mut Peekable<Chars<'_>>, is_end: impl Fn(char) -> bool) -> Result<String, String> {
    // Java writes what lies beyond 16 bits as two escapes, which only together are a character.
    let mut units = Vec::new();
    let mut unit = [0; 2];
    while let Some(symbol) = rest.next_if(|symbol| !is_end(*symbol)) {
        if symbol != '\\' {
            units.extend_from_slice(symbol.encode_utf16(&mut unit));
            continue;
        }
        match rest.next() {
            None => {}
            Some('t') => units.push(u16::from(b'\t')),
            Some('n') => units.push(u16::from(b'\n')),
            Some('r') => units.push(u16::from(b'\r')),
            Some('f') => units.push(0x0c),
            Some('u') => {
                let digits: String = rest.by_ref().take(4).collect();
                let is_whole = digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                let code = u16::from_str_radix(&digits, 16).ok().filter(|_| is_whole);
                units.push(code.ok_or_else(|| format!("`\\u{digits}` is not `\\u` and four hex digits"))?);
            }
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut unit)),
        }
    }
    String::from_utf16(&units).map_err(|_| "half of a character stands alone as `\\uXXXX`".to_owned())
}

/// Why INI cannot hold an entry.
fn unfit(name: &str, text: &str) -> Option<&'static str> {
    if name.is_empty() || name.trim() != name || name.contains(|it: char| it.is_control() || "=:\\".contains(it)) {
        return Some("is no name that an INI file can hold");
    }
    if name.starts_with(['[', ';', '#', '"', '\'']) {
        return Some("begins as no name of an INI file does");
    }
    if text.contains(|it: char| it.is_control() && it != '\t') {
        return Some("holds a line feed or another control character");
    }
    let needs_quotes = text.trim() != text || text.starts_with(['"', '\'']);
    if needs_quotes && (text.contains('\\') || (text.contains('"') && text.contains('\''))) {
        return Some("holds quotes or white space at its ends that an INI file cannot keep");
    }
    ends_with_backslash(text).then_some("ends with a backslash")
}

/// A text as it stands behind the `=`: INI takes white space off its ends, and quotes around it.
fn quoted(text: &str) -> String {
    if text.trim() == text && !text.starts_with(['"', '\'']) {
        return text.to_owned();
    }
    let quote = if text.contains('"') { '\'' } else { '"' };
    format!("{quote}{text}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Written {
        Properties::read(text).expect("properties").written()
    }

    #[test]
    fn names_texts_comments_and_order_stay() {
        let text = "\
#Generated
! how long
spring.datasource.url=jdbc:mysql://127.0.0.1:3306/shop?useSSL=false

timeout.ms : 3000
  path\\ name = /var/lib
words hello, world \\
      and more
greeting=\\u4f60\\u597d \\ud83d\\ude00
empty=
quoted=\"a b\"
";
        let expected = "\
#Generated
# how long
spring.datasource.url = jdbc:mysql://127.0.0.1:3306/shop?useSSL=false

timeout.ms = 3000
path name = /var/lib
words = hello, world and more
greeting = 你好 😀
empty =
quoted = '\"a b\"'
";
        assert_eq!(written(text), Written::Ini(expected.into()));
    }

    #[test]
    fn what_ini_cannot_hold_becomes_json() {
        let Written::Json { text, because } = written("# lost\na=1\nmotd=line\\nnext\n") else { panic!("INI") };
        assert_eq!(text, "{\n  \"a\": \"1\",\n  \"motd\": \"line\\nnext\"\n}\n");
        assert_eq!(because, "\"motd\" holds a line feed or another control character");
        for (line, why) in [
            ("a\\=b=1", "is no name"),
            ("[a]=1", "begins as no name"),
            ("a=C:\\\\", "ends with a backslash"),
            ("a=\\ \\\\x", "white space at its ends"),
        ] {
            let Written::Json { because, .. } = written(line) else { panic!("{line}") };
            assert!(because.contains(why), "{line}: {because}");
        }
        assert_eq!(written("a=C\\:\\\\temp\\\\x"), Written::Ini("a = C:\\temp\\x\n".into()));
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        let properties = Properties::read("a=1\nb=2\na=3\n").expect("properties");
        assert_eq!(properties.repeated(), ["a"]);
        assert_eq!(properties.written(), Written::Ini("b = 2\na = 3\n".into()));
    }

    #[test]
    fn a_damaged_escape_is_refused_with_its_line() {
        let refused = Properties::read;
        assert_eq!(refused("a=1\nb=\\u12"), Err("line 2: `\\u12` is not `\\u` and four hex digits".into()));
        assert_eq!(refused("b=\\ud83d"), Err("line 1: half of a character stands alone as `\\uXXXX`".into()));
    }
}
