//! Config formats: a document has one canonical value, which every reader of JSON, ours and others, reads as the same;
//! a refusal names a place within the text in one line.

use keeper_registry::limits;

use super::{Format, SyntaxError, Value, canonical, parse};
use crate::codec::fuzz::Property;
use crate::policy;

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] = &[
    ("toml", |input| document(Format::Toml, input)),
    ("yaml", |input| document(Format::Yaml, input)),
    ("json", |input| document(Format::Json, input)),
    ("ini", |input| document(Format::Ini, input)),
    ("policy", policies),
];

fn document(format: Format, input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let value = match parse(format, text) {
        Ok(value) => value,
        Err(refusal) => return within(text, &refusal),
    };
    let written = canonical(&value);
    let json = std::str::from_utf8(&written).expect("JSON is text");
    if json.len() <= limits::DOCUMENT_BYTES_MAX {
        assert_eq!(parse(Format::Json, json), Ok(value.clone()), "the canonical value reads differently: {json}");
    }
    assert_eq!(canonical(&value), written);
    let others: serde_json::Value = serde_json::from_str(json).expect("it is JSON for others, too");
    assert_eq!(others.is_object(), matches!(value, Value::Object(_)));
}

fn policies(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for format in [Format::Toml, Format::Yaml, Format::Json, Format::Ini] {
        if let Err(refusal) = policy::parse(format, text) {
            within(text, &refusal);
        }
    }
}

/// Someone is to find the place, and a log line stays one line.
pub(crate) fn within(text: &str, refusal: &SyntaxError) {
    let SyntaxError { line, column, message } = refusal;
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    assert!((1..=lines + 1).contains(&(*line as usize)), "line {line} of {lines}: {message}");
    assert!((1..=text.chars().count() + 2).contains(&(*column as usize)), "column {column}: {message}");
    assert!(!message.contains(['\n', '\r']) && !message.is_empty(), "{message:?}");
}
