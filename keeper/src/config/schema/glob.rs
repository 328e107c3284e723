//! Which paths: `push/*.toml`, `push/**`, `**/room.toml`.
//!
//! `*` stands for any characters within one part of a path, `**` as a part for any number of parts, none included.
//! Everything else stands for itself. A path has 256 bytes at most, so that comparing costs next to nothing.

use std::fmt;

use keeper_registry::limits::PATH_BYTES_MAX;

/// A pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Box<str>);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It is longer than any path.
    #[error("a pattern of {0} bytes; a path has at most {PATH_BYTES_MAX}")]
    TooLong(usize),
    /// It cannot match any path.
    #[error(
        "`{0}` matches no path: a pattern is parts of [A-Za-z0-9._-] and `*` behind slashes, or `**` as a whole part"
    )]
    Part(String),
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`GlobError`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.len() > PATH_BYTES_MAX {
            return Err(GlobError::TooLong(text.len()));
        }
        let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || b"._-*".contains(&byte);
        let is_part = |part: &str| match part {
            "**" => true,
            "" | "." | ".." => false,
            _ => !part.contains("**") && part.bytes().all(is_of_path),
        };
        if text.split('/').all(is_part) { Ok(Self(text.into())) } else { Err(GlobError::Part(text.to_owned())) }
    }

    /// Whether a path, without a layer, is one of these.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let pattern: Vec<_> = self.0.split('/').collect();
        let parts: Vec<_> = path.split('/').collect();
        matches(&pattern, &parts, |part| *part == "**", |part, text| is_like(part, text))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_like(part: &str, text: &str) -> bool {
    matches(part.as_bytes(), text.as_bytes(), |symbol| *symbol == b'*', |symbol, byte| symbol == byte)
}

/// Whether a pattern matches a text, where some of its elements stand for any number of the text's. Only the last of
/// these is ever taken back, so that the time is the product of the lengths at most.
fn matches<P, T>(pattern: &[P], text: &[T], is_any: impl Fn(&P) -> bool, is_like: impl Fn(&P, &T) -> bool) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut retry = None;
    loop {
        match (pattern.get(at), text.get(read)) {
            (None, None) => return true,
            (Some(any), _) if is_any(any) => {
                retry = Some((at, read));
                at += 1;
            }
            (Some(element), Some(given)) if is_like(element, given) => (at, read) = (at + 1, read + 1),
            (_, _) => match retry {
                Some((any, taken)) if taken < text.len() => {
                    retry = Some((any, taken + 1));
                    (at, read) = (any + 1, taken + 1);
                }
                Some(_) | None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(pattern: &str, path: &str) -> bool {
        Glob::parse(pattern).expect("it is a pattern").matches(path)
    }

    #[test]
    fn one_star_stays_within_its_part_and_two_do_not() {
        let matching = [
            ("push/*.toml", "push/room.toml"),
            ("push/room.toml", "push/room.toml"),
            ("*", "room"),
            ("*/a*c*/x", "p/abcbc/x"),
            ("push/**", "push/a/b.toml"),
            ("push/**", "push"),
            ("**", "a"),
            ("**", "a/b/c"),
            ("**/room.toml", "room.toml"),
            ("**/room.toml", "a/b/room.toml"),
            ("a/**/b/**/c", "a/b/c"),
            ("a/**/b/**/c", "a/x/b/b/y/c"),
        ];
        for (pattern, path) in matching {
            assert!(is(pattern, path), "{pattern} {path}");
        }
        let others = [
            ("push/*.toml", "push/eu/room.toml"),
            ("push/*.toml", "push/room.yaml"),
            ("*", "a/b"),
            ("push/**", "pushing/a"),
            ("**/room.toml", "a/broom.toml"),
            ("a/**/b/**/c", "a/x/c"),
            ("a*b", "a/b"),
            ("room", "rooms"),
        ];
        for (pattern, path) in others {
            assert!(!is(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn what_matches_nothing_is_refused() {
        for wrong in ["", "/a", "a/", "a//b", "a**", "***", "a b", "a/../b", "a@zone=b", "[ab]", "a?"] {
            assert_eq!(Glob::parse(wrong), Err(GlobError::Part(wrong.to_owned())));
        }
        assert_eq!(Glob::parse(&"a".repeat(257)), Err(GlobError::TooLong(257)));
    }

    /// As it is said, without a thought for time.
    fn model(pattern: &[&str], parts: &[&str]) -> bool {
        fn part(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', rest)) => (0..=text.len()).any(|taken| part(rest, &text[taken..])),
                Some((symbol, rest)) => text.first() == Some(symbol) && part(rest, &text[1..]),
            }
        }
        match pattern.split_first() {
            None => parts.is_empty(),
            Some((&"**", rest)) => (0..=parts.len()).any(|taken| model(rest, &parts[taken..])),
            Some((first, rest)) => parts
                .split_first()
                .is_some_and(|(text, parts)| part(first.as_bytes(), text.as_bytes()) && model(rest, parts)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn it_is_what_it_says(
            pattern in "([ab*]{1,3}|\\*\\*)(/([ab*]{1,3}|\\*\\*)){0,4}",
            path in "[ab]{1,3}(/[ab]{1,3}){0,4}",
        ) {
            let Ok(glob) = Glob::parse(&pattern) else { return Ok(()) };
            let (parts, texts): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
            prop_assert_eq!(glob.matches(&path), model(&parts, &texts));
        }
    }
}
