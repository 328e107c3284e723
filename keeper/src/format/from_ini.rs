//! INI: `[sections]` of `key = value`, comments on their own lines after `;` or `#`.
//!
//! A section is an object, keys before the first section stand at the top, every value is a string. Quotes around a
//! value are taken off; a backslash is a backslash.
//!
//! rust-ini reads the values, but it lets a damaged line run on into the next ones and keeps no places. So an outline
//! of the lines is made first: it refuses what is not one whole entry, finds what is given twice, and hands rust-ini
//! entries of one line each. In the end both must have found the same keys.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ini::{Ini, ParseOption};
use serde::de::DeserializeOwned;

use super::error::SyntaxError;
use super::limits::NODES_MAX;
use super::typed_ini::Node;
use super::value::Value;
use super::visitor::{duplicate, too_many};

pub(super) fn parse(text: &str) -> Result<Value, SyntaxError> {
    let outline = Outline::read(text)?;
    let values = outline.values()?;
    let mut document = outline.sections;
    for (Entry { section, key, .. }, value) in outline.entries.iter().zip(values) {
        let value = Value::String(value);
        match section.and_then(|section| document.get_mut(section)) {
            Some(Value::Object(entries)) => entries.insert((*key).to_owned(), value),
            _ => document.insert((*key).to_owned(), value),
        };
    }
    Ok(Value::Object(document))
}

/// Reads what is known to be a document.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, SyntaxError> {
    let outline = Outline::read(text)?;
    let mut root = Node::root();
    for (name, line) in &outline.headers {
        root.section(name, *line);
    }
    for (Entry { section, key, line }, value) in outline.entries.iter().zip(outline.values()?) {
        let table = match section {
            Some(section) => root.section(section, *line),
            None => &mut root,
        };
        table.entry(key, &value, *line);
    }
    T::deserialize(root).map_err(super::typed_ini::Misfit::into_error)
}
/// One entry and where it stands.
struct Entry<'a> {
    section: Option<&'a str>,
    key: &'a str,
    line: usize,
}

/// The lines of a text: what they name, in their order.
#[derive(Default)]
struct Outline<'a> {
    /// Every section, still empty.
    sections: BTreeMap<String, Value>,
    /// Every section and its line, in their order.
    headers: Vec<(&'a str, usize)>,
    entries: Vec<Entry<'a>>,
    /// The text without comments and margins, one line each.
    plain: String,
}

impl<'a> Outline<'a> {
    fn read(text: &'a str) -> Result<Self, SyntaxError> {
        let mut outline = Self::default();
        // Keys of the section being read; the names of sections are keys of the document.
        let mut keys = BTreeMap::new();
        let mut top = BTreeMap::new();
        let mut section = None;
        for (index, full) in text.split('\n').enumerate() {
            let (line, content) = (index + 1, full.trim());
            let column = 1 + full.chars().take_while(|c| c.is_whitespace()).count();
            let refuse = |message: String| SyntaxError::at(line, column, message);
            if content.contains('\r') {
                return Err(refuse("a carriage return stands inside the line".into()));
            }
            if content.is_empty() || content.starts_with([';', '#']) {
                continue;
            }
            if outline.entries.len() + outline.sections.len() >= NODES_MAX {
                return Err(refuse(too_many()));
            }
            if let Some(header) = content.strip_prefix('[') {
                let name = section_name(header).map_err(|message| refuse(message.into()))?;
                if let Some(first) = top.insert(name, line) {
                    return Err(refuse(format!("`{name}` is given twice, first on line {first}")));
                }
                section = Some(name);
                keys.clear();
                outline.headers.push((name, line));
                outline.sections.insert(name.to_owned(), Value::Object(BTreeMap::new()));
                let _ = writeln!(outline.plain, "[{name}]");
            } else {
                let (key, value) = key_and_value(content).map_err(|message| refuse(message.into()))?;
                let names = if section.is_some() { &mut keys } else { &mut top };
                if let Some(first) = names.insert(key, line) {
                    return Err(refuse(format!("{}, first on line {first}", duplicate(key))));
                }
                outline.entries.push(Entry { section, key, line });
                let _ = writeln!(outline.plain, "{key} = {value}");
            }
        }
        Ok(outline)
    }

    /// The value of each entry, as rust-ini reads it.
    fn values(&self) -> Result<Vec<String>, SyntaxError> {
        let options = ParseOption { enabled_escape: false, ..ParseOption::default() };
        let ini = Ini::load_from_str_opt(&self.plain, options)
            .map_err(|error| SyntaxError::at(error.line, error.col, error.msg))?;
        let found: usize = ini.iter().map(|(_, properties)| properties.len()).sum();
        if found != self.entries.len() {
            return Err(SyntaxError::at(1, 1, "quotes or backslashes make an entry run beyond its line"));
        }
        let value = |Entry { section, key, line }: &Entry<'_>| {
            let value = ini.get_from(*section, key).map(str::to_owned);
            value
                .ok_or_else(|| SyntaxError::at(*line, 1, format!("the entry `{key}` cannot be read: check its quotes")))
        };
        self.entries.iter().map(value).collect()
    }
}

fn section_name(header: &str) -> Result<&str, &'static str> {
    let name = header.strip_suffix(']').ok_or("a section header ends with `]`")?.trim();
    if name.is_empty() {
        return Err("a section needs a name");
    }
    if name.contains([']', '\\']) {
        return Err("the name of a section cannot contain `]` or `\\`");
    }
    Ok(name)
}

fn key_and_value(content: &str) -> Result<(&str, &str), &'static str> {
    let (key, value) = content.split_once(['=', ':']).ok_or("expected `key = value`, `[section]` or a comment")?;
    let (key, value) = (key.trim_end(), value.trim_start());
    if key.is_empty() {
        return Err("the key before `=` is missing");
    }
    if key.contains('\\') {
        return Err("a key cannot contain `\\`");
    }
    if !ends_on_its_line(value) {
        return Err("a quote is not closed on its line, or the value ends with a single `\\`");
    }
    Ok((key, value))
}

/// Whether rust-ini sees the end of the value where the line ends.
fn ends_on_its_line(mut value: &str) -> bool {
    while let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let Some(end) = unescaped(&value[1..], quote) else { return false };
        value = &value[1 + end + 1..];
    }
    let backslashes = value.len() - value.trim_end_matches('\\').len();
    backslashes.is_multiple_of(2)
}

/// Where `quote` first stands without a backslash before it.
fn unescaped(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Some(at);
        }
        if c == '\\' {
            characters.next();
        }
    }
    None
}
