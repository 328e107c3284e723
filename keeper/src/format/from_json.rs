//! JSON (RFC 8259), by serde_json.
//!
//! serde_json reads an integer beyond 64 bits as the nearest float, silently. [`check_integers`] walks the text for
//! one; the text is known to be JSON by then, so that a few lines suffice.

use std::cell::Cell;

use serde::de::{DeserializeOwned, DeserializeSeed};

use super::error::{SyntaxError, is_continuation};
use super::typed::in_terms_of_keys;
use super::value::Value;
use super::visitor::{Builder, too_wide};

pub(super) fn parse(text: &str) -> Result<Value, SyntaxError> {
    let nodes = Cell::new(0);
    let mut source = serde_json::Deserializer::from_str(text);
    let value = Builder::new(&nodes).deserialize(&mut source).and_then(|value| source.end().map(|()| value));
    let value = value.map_err(|error| explain(text, &error))?;
    check_integers(text)?;
    Ok(value)
}

/// Reads what is known to be a document.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, SyntaxError> {
    serde_json::from_str(text).map_err(|error| explain(text, &error))
}

fn explain(text: &str, error: &serde_json::Error) -> SyntaxError {
    let full = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let message = full.strip_suffix(&place).unwrap_or(&full);
    // serde_json counts the bytes that it has read of the line.
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let read = line.bytes().take(error.column());
    let column = read.filter(|byte| !is_continuation(*byte)).count();
    SyntaxError::at(error.line(), column, in_terms_of_keys(message, None))
}

fn check_integers(text: &str) -> Result<(), SyntaxError> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let length = match byte {
            b'"' => string_length(&bytes[at..]),
            b'-' | b'0'..=b'9' => {
                let number = &text[at..at + number_length(&bytes[at..])];
                if !number.contains(['.', 'e', 'E']) && number.parse().ok().and_then(Value::integer).is_none() {
                    return Err(SyntaxError::at_byte(text, at, too_wide(number)));
                }
                number.len()
            }
            _ => 1,
        };
        at += length;
    }
    Ok(())
}

fn number_length(bytes: &[u8]) -> usize {
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    bytes.iter().position(|byte| !is_number(byte)).unwrap_or(bytes.len())
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    bytes.len()
}
