//! Users, slots, topics and connections are bytes; people read and type them as text.
//!
//! What is printed can be typed: text stands for itself, and everything else for `0x` and its hex digits. Text that
//! begins with `0x` or could not be told apart on a screen (control and invisible characters, white space at its ends)
//! is printed as hex too, so that no two names look alike and none can move a terminal's cursor.

use std::{fmt, fmt::Write, str::FromStr};

use serde::{Serialize, Serializer};

/// What marks hex.
const HEX: &str = "0x";

/// A name made of any bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Name(Vec<u8>);

impl Name {
    pub(crate) const fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As a word of a shell's line.
    pub(crate) fn quoted(&self) -> String {
        quoted(&self.to_string())
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let Some(digits) = typed.strip_prefix(HEX) else { return Ok(Self(typed.as_bytes().to_vec())) };
        let misread = || format!("0x begins hex; for the text {typed:?} itself type {}", hex(typed.as_bytes()));
        if digits.len() % 2 != 0 || digits.is_empty() {
            return Err(misread());
        }
        let pairs = digits.as_bytes().chunks_exact(2);
        let bytes = pairs.map(|pair| Some((digit(pair[0])? << 4) | digit(pair[1])?));
        bytes.collect::<Option<_>>().map(Self).ok_or_else(misread)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match str::from_utf8(&self.0) {
            Ok(text) if is_plain(text) => formatter.write_str(text),
            Ok(_) | Err(_) => formatter.write_str(&hex(&self.0)),
        }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `0x` and two digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(HEX.len() + bytes.len() * 2);
    text.push_str(HEX);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// As a word of a shell's line.
pub(crate) fn quoted(text: &str) -> String {
    let is_bare = |it: char| it.is_alphanumeric() || "_@%+=:,./-".contains(it);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_bare) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Quotes and backslashes are escaped in source for their meaning there, everything else because it cannot be seen.
fn is_plain(text: &str) -> bool {
    let text_seen: String = text.chars().filter(|it| !matches!(it, '"' | '\'' | '\\')).collect();
    text_seen.escape_debug().eq(text_seen.chars()) && text.trim() == text && !text.starts_with(HEX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        Name::from(bytes).to_string()
    }

    #[test]
    fn text_stands_for_itself() {
        for text in ["", "ann", "用户42", "o'neil \"x\" \\", "a/b@c", "e\u{301}"] {
            assert_eq!(shown(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_hex() {
        assert_eq!(shown(&[0xff, 0x00]), "0xff00");
        assert_eq!(shown(b"a\x1b[2J"), "0x611b5b324a");
        assert_eq!(shown("a\u{202e}b".as_bytes()), "0x61e280ae62");
        assert_eq!(shown(b" a"), "0x2061");
        assert_eq!(shown(b"0x41"), "0x30783431");
    }

    #[test]
    fn what_is_printed_can_be_typed() {
        let names: [&[u8]; 6] = [b"", b"ann", b"0x", b"0x41", &[0, 1, 255], "用户 ".as_bytes()];
        for name in names {
            assert_eq!(shown(name).parse::<Name>().map(|it| it.0), Ok(name.to_vec()));
        }
    }

    #[test]
    fn hex_is_read_as_bytes() {
        assert_eq!("0xFF00".parse::<Name>().map(|it| it.0), Ok(vec![255, 0]));
        for typed in ["0x", "0x1", "0xzz", "0x用"] {
            let refused = typed.parse::<Name>().expect_err(typed);
            assert_eq!(refused, format!("0x begins hex; for the text {typed:?} itself type {}", hex(typed.as_bytes())));
        }
    }
}
