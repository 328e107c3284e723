//! A value, written in another format: on request, never by itself, for comments do not survive it.
//!
//! What a format cannot say is refused with every field that it stands at, and nothing is dropped or bent: TOML has no
//! null, no integers above 63 bits, and nothing but a table at the top; INI has one level of sections, no lists and no
//! null. INI has no types either: numbers and booleans are written, and read again they are strings, to be typed by
//! whoever reads them.
//!
//! Invariant: what is written has been read again and says the same (to INI: the same in strings).

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use super::Field;
use super::limits::VIOLATIONS_TOLD_MAX;
use crate::format::{self, Format, Value};

/// What a format cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unsayable {
    /// Which format.
    pub format: Format,
    /// The first so many fields, and why each cannot be said.
    pub fields: Vec<(Field, &'static str)>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for Unsayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.format {
            Format::Toml => "TOML",
            Format::Yaml => "YAML",
            Format::Json => "JSON",
            Format::Ini => "INI",
        };
        write!(f, "{name} cannot say this: ")?;
        for (at, (field, why)) in self.fields.iter().enumerate() {
            let end = if at == 0 { "" } else { "; " };
            write!(f, "{end}{field} {why}")?;
        }
        if self.more > 0 { write!(f, "; and {} more", self.more) } else { Ok(()) }
    }
}

/// Writes a value.
///
/// # Errors
/// The format cannot say it.
pub fn convert(value: &Value, format: Format) -> Result<String, Unsayable> {
    let mut unsayable = Vec::new();
    let (text, expected) = match format {
        Format::Json => (json(value), value.clone()),
        Format::Yaml => (serde_saphyr::to_string(value).unwrap_or_default(), value.clone()),
        Format::Toml => (toml(value, &mut unsayable), value.clone()),
        Format::Ini => (ini(value, &mut unsayable), in_strings(value)),
    };
    if unsayable.is_empty() && format::parse(format, &text).ok().as_ref() != Some(&expected) {
        unsayable.push((Field::default(), "is not the same when it is read again"));
    }
    if unsayable.is_empty() {
        return Ok(text);
    }
    let more = unsayable.len().saturating_sub(VIOLATIONS_TOLD_MAX);
    unsayable.truncate(VIOLATIONS_TOLD_MAX);
    Err(Unsayable { format, fields: unsayable, more })
}

type Refused = Vec<(Field, &'static str)>;

fn json(value: &Value) -> String {
    match serde_json::to_string_pretty(value) {
        Ok(text) => text + "\n",
        Err(_) => unreachable!("writing to memory succeeds, and every key is a string"),
    }
}

fn toml(value: &Value, refused: &mut Refused) -> String {
    match toml_value(value, &Field::default(), refused) {
        Some(toml::Value::Table(table)) => toml::to_string_pretty(&table).unwrap_or_default(),
        Some(_) => {
            refused.push((Field::default(), "is no table"));
            String::new()
        }
        None => String::new(),
    }
}

fn toml_value(value: &Value, field: &Field, refused: &mut Refused) -> Option<toml::Value> {
    let mut refuse = |why| {
        refused.push((field.clone(), why));
        None
    };
    match value {
        Value::Null => refuse("is null"),
        Value::Bool(value) => Some(toml::Value::Boolean(*value)),
        Value::Integer(value) => match i64::try_from(*value) {
            Ok(value) => Some(toml::Value::Integer(value)),
            Err(_) => refuse("is an integer above 63 bits"),
        },
        Value::Float(value) => Some(toml::Value::Float(*value)),
        Value::String(value) => Some(toml::Value::String(value.clone())),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let items: Vec<_> = items.map(|(at, item)| toml_value(item, &field.place(at), refused)).collect();
            items.into_iter().collect::<Option<_>>().map(toml::Value::Array)
        }
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries: Vec<_> = entries
                .map(|(name, value)| Some((name.clone(), toml_value(value, &field.name(name), refused)?)))
                .collect();
            entries.into_iter().collect::<Option<_>>().map(toml::Value::Table)
        }
    }
}

/// What stands on the top comes first: behind a header it would belong to the section.
fn ini(value: &Value, refused: &mut Refused) -> String {
    let Value::Object(entries) = value else {
        refused.push((Field::default(), "is no set of sections"));
        return String::new();
    };
    let (mut top, mut sections) = (String::new(), String::new());
    for (name, value) in entries {
        let field = Field::default().name(name);
        let Value::Object(entries) = value else {
            ini_entry(name, value, &field, &mut top, refused);
            continue;
        };
        if format::parse(Format::Ini, &format!("[{name}]\n")).is_ok_and(|read| field.of(&read).is_some()) {
            let _ = writeln!(sections, "\n[{name}]");
        } else {
            refused.push((field.clone(), "is no name of a section"));
        }
        for (name, value) in entries {
            ini_entry(name, value, &field.name(name), &mut sections, refused);
        }
    }
    let text = top + &sections;
    text.trim_start().to_owned()
}

/// As it stands, or in quotes: as it is the same when it is read again.
fn ini_entry(name: &str, value: &Value, field: &Field, text: &mut String, refused: &mut Refused) {
    let Some(plain) = in_string(value) else {
        let why = match value {
            Value::Null => "is null",
            Value::Array(_) => "is a list",
            Value::Object(_) => "is nested too deep",
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => "cannot be written",
        };
        refused.push((field.clone(), why));
        return;
    };
    let lines = [format!("{name} = {plain}\n"), format!("{name} = \"{plain}\"\n"), format!("{name} = '{plain}'\n")];
    let expected = Value::Object([(name.to_owned(), Value::String(plain))].into());
    let line = lines.into_iter().find(|line| format::parse(Format::Ini, line).as_ref() == Ok(&expected));
    match line {
        Some(line) => text.push_str(&line),
        None => refused.push((field.clone(), "has characters that cannot stand there")),
    }
}

/// What INI makes of it.
fn in_strings(value: &Value) -> Value {
    let Value::Object(entries) = value else { return in_string(value).map_or(Value::Null, Value::String) };
    Value::Object(entries.iter().map(|(name, value)| (name.clone(), in_strings(value))).collect())
}

fn in_string(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Integer(value) => Some(value.to_string()),
        Value::Float(value) => Some(format!("{value:?}")),
        Value::String(value) => Some(value.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
