//! Reads a document as a type of this program, and tells what does not fit it at its place.
//!
//! The text is read twice: first by the rules that hold for every document, whose words are the better ones, then by
//! the format's own serde source, which knows where each value stands. For documents of this program's own: settings,
//! policies.

use serde::de::DeserializeOwned;

use super::{Format, SyntaxError, from_ini, from_json, from_toml, from_yaml, parse};

/// How alike a misspelt key must be to the one that is offered instead; 1 is equal.
const SIMILARITY_MIN: f64 = 0.75;

/// Reads a text as a `T`. A byte order mark at its start is skipped.
///
/// # Errors
/// The text is not a document, or not one of this type.
pub fn read<T: DeserializeOwned>(format: Format, text: &str) -> Result<T, SyntaxError> {
    parse(format, text)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Toml => from_toml::read(text),
        Format::Yaml => from_yaml::read(text),
        Format::Json => from_json::read(text),
        Format::Ini => from_ini::read(text),
    }
}

/// From serde's "unknown field `x`, expected one of `a`, `b`" to a sentence in the document's own terms; `place` names
/// where. Other sentences stay as they are.
pub(super) fn in_terms_of_keys(message: &str, place: Option<&str>) -> String {
    let Some(names) = message.strip_prefix("unknown field ") else { return message.to_owned() };
    let mut names = names.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    unknown_key(unknown, &names.collect::<Vec<_>>(), place)
}

/// The sentence for a key that a type does not have.
pub(super) fn unknown_key(unknown: &str, known: &[&str], place: Option<&str>) -> String {
    let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
    let similar = |name: &&str| strsim::jaro_winkler(unknown, name);
    let best = known.iter().copied().max_by(|a, b| similar(a).total_cmp(&similar(b)));
    match best.filter(|name| similar(name) >= SIMILARITY_MIN) {
        Some(name) => format!("unknown key `{unknown}`{place}: did you mean `{name}`?"),
        None => format!("unknown key `{unknown}`{place}: the keys there are {}", known.join(", ")),
    }
}
