//! How the file of a document is called.
//!
//! A document of a folder is its text and nothing beside it, so the file's name says its path, its layer and its
//! format:
//!
//! | document | format | file |
//! |---|---|---|
//! | `push/room.toml` | TOML | `push/room.toml` |
//! | `push/room.toml@zone=eu-1` | TOML | `push/room@zone=eu-1.toml` |
//! | `push/room.toml@label.app=x,label.ring=canary` | TOML | `push/room@label.app=x,label.ring=canary.toml` |
//! | `keeper/sessions` | TOML | `keeper/sessions+.toml` |
//! | `push/flags.conf@service=room` | YAML | `push/flags.conf@service=room+.yaml` |
//!
//! A layer stands in front of the ending, so that editors see the format and a listing shows layers beside their base.
//! A
//! `+` in front of the ending says that the ending is not part of the path. Neither `@` nor `+` can be part of a path,
//! so a file's name has one meaning; and every document whose path can be a file's at all has one name.

use keeper_client_sdk::Format;

/// Between a path and its layer.
const LAYER: char = '@';

/// In front of an ending that is not the path's.
const ADDED: char = '+';

/// Bytes of a file's name, on every file system in use.
const FILE_NAME_BYTES_MAX: usize = 255;

/// Why a document has no file, or a file no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::config) enum Misnamed {
    /// Its ending names no format.
    Ending,
    /// A `+` where none belongs, or a layer at a folder.
    Mark,
    /// A part that begins with a dot, which folders keep for themselves.
    Hidden,
    Long,
}

impl Misnamed {
    pub(in crate::config) const fn why(&self) -> &'static str {
        match self {
            Self::Ending => "its ending names no format: .toml, .yaml, .yml, .json or .ini",
            Self::Mark => "`+` stands only in front of the ending, and `@` only in the name of the file itself",
            Self::Hidden => "a part of its path begins with a dot, which files of a folder do that are no documents",
            Self::Long => "the name of its file would be longer than 255 bytes",
        }
    }
}

/// The file of a document, as a path below the folder, parts joined by `/`.
pub(in crate::config) fn file_of(key: &str, format: Format) -> Result<String, Misnamed> {
    let (path, layer) = match key.split_once(LAYER) {
        Some((path, layer)) => (path, format!("{LAYER}{layer}")),
        None => (key, String::new()),
    };
    if path.split('/').any(|part| part.starts_with('.')) {
        return Err(Misnamed::Hidden);
    }
    let (stem, added, ending) = match ending_of(path) {
        Some((stem, ending, says)) if says == format => (stem, "", ending),
        Some(_) | None => (path, "+", format.as_str()),
    };
    let file = format!("{stem}{layer}{added}.{ending}");
    let is_long = file.split('/').any(|part| part.len() > FILE_NAME_BYTES_MAX);
    if is_long { Err(Misnamed::Long) } else { Ok(file) }
}

/// The document of a file, and its format.
pub(in crate::config) fn key_of(file: &str) -> Result<(String, Format), Misnamed> {
    if file.split('/').any(|part| part.starts_with('.')) {
        return Err(Misnamed::Hidden);
    }
    let (stem, ending, format) = ending_of(file).ok_or(Misnamed::Ending)?;
    let (folders, name) = stem.rsplit_once('/').map_or(("", stem), |(folders, name)| (folders, name));
    if folders.contains([LAYER, ADDED]) {
        return Err(Misnamed::Mark);
    }
    let (name, added) = name.strip_suffix(ADDED).map_or((name, false), |name| (name, true));
    let (name, layer) = name.split_once(LAYER).map_or((name, None), |(name, layer)| (name, Some(layer)));
    // A name that its ending fits as it is has no use for the mark: it would be a second name of one document.
    let is_redundant = || ending_of(name).is_some_and(|(_, _, says)| says == format);
    if name.contains(ADDED) || layer.is_some_and(|layer| layer.contains(ADDED)) || (added && is_redundant()) {
        return Err(Misnamed::Mark);
    }
    let slash = if folders.is_empty() { "" } else { "/" };
    let dot_ending = if added { String::new() } else { format!(".{ending}") };
    let layer = layer.map(|layer| format!("{LAYER}{layer}")).unwrap_or_default();
    Ok((format!("{folders}{slash}{name}{dot_ending}{layer}"), format))
}

/// What the ending of a name says.
pub(in crate::config) fn format_of(name: &str) -> Option<Format> {
    ending_of(name).map(|(_, _, format)| format)
}

/// What stands in front of an ending that names a format, the ending, and the format.
fn ending_of(path: &str) -> Option<(&str, &str, Format)> {
    let (stem, ending) = path.rsplit_once('.')?;
    let format = match ending {
        "toml" => Format::Toml,
        "yaml" | "yml" => Format::Yaml,
        "json" => Format::Json,
        "ini" => Format::Ini,
        _ => return None,
    };
    let is_named = stem.rsplit('/').next().is_some_and(|name| !name.is_empty());
    is_named.then_some((stem, ending, format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_has_a_file_and_comes_back_from_it() {
        for (key, format, file) in [
            ("push/room.toml", Format::Toml, "push/room.toml"),
            ("gate.yml", Format::Yaml, "gate.yml"),
            ("push/room.toml@zone=eu-1", Format::Toml, "push/room@zone=eu-1.toml"),
            ("push/room.toml@zone=eu.1", Format::Toml, "push/room@zone=eu.1.toml"),
            ("a.json@label.app=x,label.ring=c", Format::Json, "a@label.app=x,label.ring=c.json"),
            ("keeper/sessions", Format::Toml, "keeper/sessions+.toml"),
            ("keeper/sessions@zone=a.toml", Format::Toml, "keeper/sessions@zone=a.toml+.toml"),
            ("push/flags.conf@service=room", Format::Yaml, "push/flags.conf@service=room+.yaml"),
            ("odd.toml", Format::Json, "odd.toml+.json"),
            ("a..toml", Format::Toml, "a..toml"),
        ] {
            assert_eq!(file_of(key, format).as_deref(), Ok(file));
            assert_eq!(key_of(file), Ok((key.to_owned(), format)));
        }
    }

    #[test]
    fn what_has_no_file_says_why() {
        assert_eq!(file_of(".hidden/a.toml", Format::Toml), Err(Misnamed::Hidden));
        assert_eq!(file_of(&format!("{}@zone=a", "a".repeat(250)), Format::Toml), Err(Misnamed::Long));
    }

    #[test]
    fn a_file_has_one_meaning_or_none() {
        for (file, why) in [
            ("README.md", Misnamed::Ending),
            ("Makefile", Misnamed::Ending),
            ("push/.toml", Misnamed::Hidden),
            (".git/a.toml", Misnamed::Hidden),
            ("room.toml+.toml", Misnamed::Mark),
            ("a+b.toml", Misnamed::Mark),
            ("a+@zone=b.toml", Misnamed::Mark),
            ("eu@zone=x/a.toml", Misnamed::Mark),
        ] {
            assert_eq!(key_of(file), Err(why), "{file}");
        }
    }
}
