//! Documents with layers, and the processes that read them: what everybody knows of them beforehand, what was heard
//! of them, and what the state says that should have been heard.
//!
//! Each key gives one field, named after its layer, that holds a number no other publish has: what somebody reads says
//! by itself which version of which layers it is made of.

mod heard;
mod truth;

pub use heard::{Frame, Heard, Reading, Refusal, Said, Standing, Taken};
pub use truth::{Truth, Whose, holds, stage_of};

use std::fmt::Write as _;

/// What readers read; those of one publish have to come together.
pub const PATHS: [&str; 2] = ["doc/a.json", "doc/b.json"];

/// Suffixes of keys, and the field that each gives.
pub const LAYERS: [(&str, &str); 3] = [("", "base"), ("@zone=z1", "zone"), ("@label.ring=canary", "ring")];

/// What readers are.
pub const SERVICE: &str = "reader";

/// All of them.
pub const READERS: [&str; 4] = ["reader-1", "reader-2", "reader-3", "reader-4"];

/// Where a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its zone.
    pub zone: &'static str,
    /// Its label of that name.
    pub ring: &'static str,
}

/// Where the reader of this name stands: each combination once.
#[must_use]
pub fn place(name: &str) -> Place {
    let number = READERS.iter().position(|it| *it == name).unwrap_or_default();
    Place { zone: ["z1", "z2"][number % 2], ring: ["canary", "stable"][number / 2 % 2] }
}

/// Every key.
pub fn keys() -> impl Iterator<Item = (String, &'static str)> {
    PATHS.into_iter().flat_map(|path| LAYERS.map(|(suffix, field)| (format!("{path}{suffix}"), field)))
}

/// What is published under a key: a number, and the readers that refuse it.
#[must_use]
pub fn text(field: &str, number: u64, refusing: &[&str]) -> String {
    let mut text = format!("{{\"{field}\":{number}");
    if !refusing.is_empty() {
        // Cannot fail: it is a string.
        _ = write!(text, ",\"{field}_refusing\":{refusing:?}");
    }
    text.push('}');
    text
}

/// The number of a part of a value that this reader refuses.
#[must_use]
pub fn refused(value: &serde_json::Value, name: &str) -> Option<u64> {
    let of = |field: &str| {
        let refusing = value.get(format!("{field}_refusing"))?.as_array()?;
        refusing.iter().any(|it| it.as_str() == Some(name)).then(|| value.get(field)?.as_u64()).flatten()
    };
    LAYERS.iter().find_map(|(_, field)| of(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_read_from_the_value() {
        let value: serde_json::Value = serde_json::from_str(&text("zone", 7, &["reader-2"])).expect("JSON");
        assert_eq!(refused(&value, "reader-2"), Some(7));
        assert_eq!(refused(&value, "reader-1"), None);
        assert_eq!(text("base", 1, &[]), "{\"base\":1}");
    }

    #[test]
    fn each_combination_of_layers_has_a_reader() {
        let mut places: Vec<_> = READERS.iter().map(|name| (place(name).zone, place(name).ring)).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), READERS.len());
    }
}
