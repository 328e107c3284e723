//! The history policy as it is written: the document at [`limits::HISTORY_PATH`], in any of the four formats.
//!
//! It is read where it is proposed, like the [session policy](mod@crate::policy), and for the same reasons: what it
//! says travels with its entry, and what is misspelt is an error at its line and column.
//!
//! ```toml
//! versions_max = 50     # past versions of a path that are kept
//! age_ms_max = 2592000000
//!
//! [prefixes."push/"]
//! versions_max = 10
//! ```
//!
//! The longest prefix that begins a path is the one that counts, alone: what it does not say is not taken from the top,
//! but is as long as the limits allow.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{HistoryPolicy, Keep, limits};
use serde::Deserialize;

use crate::format::{self, Format, SyntaxError};

/// A number of versions that the limits allow.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
struct Versions(u32);

/// An age that the limits allow.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Age(u64);

/// The beginning of paths.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Prefix(Arc<str>);

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<Prefix, Written>")]
struct Prefixes(BTreeMap<Prefix, Written>);

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "what is decided about a prefix")]
struct Written {
    versions_max: Option<Versions>,
    age_ms_max: Option<Age>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Document {
    versions_max: Option<Versions>,
    age_ms_max: Option<Age>,
    prefixes: Prefixes,
}

/// What a document says about past versions.
///
/// # Errors
/// The text is not a document, or not a policy.
pub fn parse(format: Format, text: &str) -> Result<HistoryPolicy, SyntaxError> {
    let Document { versions_max, age_ms_max, prefixes } = format::read(format, text)?;
    let prefixes = prefixes.0.into_iter().map(|(Prefix(prefix), written)| (prefix, written.keep()));
    Ok(HistoryPolicy { all: Written { versions_max, age_ms_max }.keep(), prefixes: prefixes.collect() })
}

impl Written {
    fn keep(self) -> Keep {
        let Self { versions_max, age_ms_max } = self;
        Keep { versions_max: versions_max.map(|Versions(max)| max), age_ms_max: age_ms_max.map(|Age(ms)| ms) }
    }
}

impl TryFrom<u32> for Versions {
    type Error = String;

    fn try_from(max: u32) -> Result<Self, String> {
        let most = limits::HISTORY_KEPT;
        if max as usize <= most { Ok(Self(max)) } else { Err(format!("{max} past versions; at most {most} are kept")) }
    }
}

impl TryFrom<u64> for Age {
    type Error = String;

    fn try_from(ms: u64) -> Result<Self, String> {
        let (least, most) = (limits::HISTORY_AGE_MS_MIN, limits::HISTORY_AGE_MS_MAX);
        if (least..=most).contains(&ms) {
            Ok(Self(ms))
        } else {
            Err(format!("{ms} ms is not between {least} and {most}"))
        }
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(prefix: String) -> Result<Self, String> {
        let is_part = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !matches!(part, "" | "." | "..") && part.bytes().all(plain)
        };
        let folder = prefix.strip_suffix('/').unwrap_or(&prefix);
        if folder.len() <= limits::PATH_BYTES_MAX && folder.split('/').all(is_part) {
            Ok(Self(prefix.into()))
        } else {
            Err(format!("`{prefix}` begins no path: a path is parts of [A-Za-z0-9._-] behind slashes"))
        }
    }
}

impl TryFrom<BTreeMap<Prefix, Written>> for Prefixes {
    type Error = String;

    fn try_from(prefixes: BTreeMap<Prefix, Written>) -> Result<Self, String> {
        let (count, most) = (prefixes.len(), limits::HISTORY_PREFIXES_MAX);
        if count <= most { Ok(Self(prefixes)) } else { Err(format!("{count} prefixes; the limit is {most}")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_formats_say_the_same() {
        let toml = "versions_max = 50\nage_ms_max = 86400000\n[prefixes.\"push/\"]\nversions_max = 0\n[prefixes.a]\n";
        let yaml = "versions_max: 50\nage_ms_max: 86400000\nprefixes:\n  push/: {versions_max: 0}\n  a: {}\n";
        let json =
            r#"{"versions_max": 50, "age_ms_max": 86400000, "prefixes": {"push/": {"versions_max": 0}, "a": {}}}"#;
        let ini = "versions_max = 50\nage_ms_max = 86400000\n[prefixes.push/]\nversions_max = 0\n[prefixes.a]\n";
        let none = Keep { versions_max: Some(0), age_ms_max: None };
        let expected = HistoryPolicy {
            all: Keep { versions_max: Some(50), age_ms_max: Some(86_400_000) },
            prefixes: BTreeMap::from([(Arc::from("push/"), none), (Arc::from("a"), Keep::default())]),
        };
        for (format, text) in [(Format::Toml, toml), (Format::Yaml, yaml), (Format::Json, json), (Format::Ini, ini)] {
            assert_eq!(parse(format, text), Ok(expected.clone()), "{format:?}");
        }
        for (format, text) in [(Format::Toml, ""), (Format::Json, "{}"), (Format::Ini, ""), (Format::Yaml, "{}")] {
            assert_eq!(parse(format, text), Ok(HistoryPolicy::default()), "{format:?}");
        }
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        let cases = [
            (
                Format::Toml,
                "\nversion_max = 1\n",
                "line 2, column 1: unknown key `version_max`: did you mean `versions_max`?",
            ),
            (Format::Toml, "versions_max = 101\n", "line 1, column 16: 101 past versions; at most 100 are kept"),
            (
                Format::Json,
                "{\"age_ms_max\":\n 59999}",
                "line 2, column 7: 59999 ms is not between 60000 and 315576000000",
            ),
            (
                Format::Yaml,
                "prefixes:\n  /a: {}\n",
                "line 2, column 3: `/a` begins no path: a path is parts of [A-Za-z0-9._-] behind slashes",
            ),
            (
                Format::Ini,
                "[prefixes.a]\n\nage = 1\n",
                "line 3, column 1: unknown key `age`: did you mean `age_ms_max`?",
            ),
        ];
        for (format, text, expected) in cases {
            let found = parse(format, text).map_or_else(|error| error.to_string(), |policy| format!("{policy:?}"));
            assert_eq!(found, expected, "{format:?}\n{text}");
        }
        let many: String = (0..65).map(|n| format!("[prefixes.t{n}]\n")).collect();
        let refused = parse(Format::Toml, &many).map_err(|error| error.message);
        assert_eq!(refused, Err("65 prefixes; the limit is 64".to_owned()));
    }
}
