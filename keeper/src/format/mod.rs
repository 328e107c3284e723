//! From a config file to the one value it stands for.
//!
//! Four formats, one meaning: [`parse`] reads a text, [`canonical`] writes what it says as JSON with sorted keys. Equal
//! documents have equal canonical values, whatever they were written in, so that everything after the proposer compares
//! bytes and no node ever parses a document again.
//!
//! The rules are the same in every format: no key twice, string keys only, integers of 64 bits, finite floats, bounded
//! depth and size (see [`limits`]). INI has no types: its values are strings. What a format cannot say (TOML has no
//! null, INI no nesting) it cannot say; nothing is guessed.
//!
//! Well-kept libraries read the texts. Where a library is laxer than the rules, the module of that format says how the
//! rest is checked. Not built: keeping comments through a change of the structure. The text is kept as written beside
//! the value.

mod error;
mod from_ini;
mod from_json;
mod from_toml;
mod from_yaml;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub mod limits;
#[cfg(test)]
mod tests;
mod typed;
mod typed_ini;
mod value;
mod visitor;

pub use error::SyntaxError;
pub use keeper_registry::Format;
pub use typed::read;
pub use value::{Value, canonical};

/// Reads a text. A byte order mark at its start is skipped.
pub fn parse(format: Format, text: &str) -> Result<Value, SyntaxError> {
    if text.len() > limits::TEXT_BYTES_MAX {
        let message = format!(
            "the text has {} bytes; the limit is {}: split it into several",
            text.len(),
            limits::TEXT_BYTES_MAX
        );
        return Err(SyntaxError::at(1, 1, message));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Toml => from_toml::parse(text),
        Format::Yaml => from_yaml::parse(text),
        Format::Json => from_json::parse(text),
        Format::Ini => from_ini::parse(text),
    }
}

/// The format that a path's ending stands for. A layer behind it, as in `push/room.toml@zone=eu-1`, is no part of it.
#[must_use]
pub fn format_of_path(key: &str) -> Option<Format> {
    let path = key.split_once('@').map_or(key, |(path, _)| path);
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.')?.1 {
        "toml" => Some(Format::Toml),
        "yaml" | "yml" => Some(Format::Yaml),
        "json" => Some(Format::Json),
        "ini" => Some(Format::Ini),
        _ => None,
    }
}
