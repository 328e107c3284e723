//! The words of a script line.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use keeper_registry::{Epoch, Incarnation, NoticeCursor, Revision, SessionKey};

/// A verb, plain words, `name=value` words, and the indented lines below it. `_` in a value stands for a space, and
/// `NxM` for the character N repeated M times, so that limits can be tried.
#[derive(Debug, Default)]
pub(crate) struct Line {
    pub(crate) verb: String,
    words: Vec<String>,
    named: BTreeMap<String, String>,
    pub(crate) below: Vec<Self>,
}

impl Line {
    pub(crate) fn parse(input: &str) -> Result<Vec<Self>> {
        let mut lines: Vec<Self> = Vec::new();
        for text in input.lines().filter(|text| !text.starts_with('#') && !text.trim().is_empty()) {
            let line = Self::one(text)?;
            if text.starts_with(' ') {
                lines.last_mut().context("an indented line at the start")?.below.push(line);
            } else {
                lines.push(line);
            }
        }
        Ok(lines)
    }

    fn one(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let verb = words.next().context("an empty line")?.to_owned();
        let mut line = Self { verb, ..Self::default() };
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if name.bytes().all(|byte| byte.is_ascii_lowercase()) && !name.is_empty() => {
                    line.named.insert(name.to_owned(), unfold(value));
                }
                _ => line.words.push(unfold(word)),
            }
        }
        Ok(line)
    }

    pub(crate) fn word(&self, place: usize) -> Result<&str> {
        self.words.get(place).map(String::as_str).with_context(|| format!("word {place} of {} is missing", self.verb))
    }

    pub(crate) fn word_or_empty(&self, place: usize) -> &str {
        self.words.get(place).map_or("", String::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(String::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    pub(crate) fn bytes(&self, name: &str) -> Bytes {
        Bytes::from(self.text(name))
    }

    pub(crate) fn list(&self, name: &str) -> Vec<Bytes> {
        let list = self.get(name).filter(|list| !list.is_empty()).into_iter().flat_map(|list| list.split(','));
        list.map(|one| Bytes::copy_from_slice(one.as_bytes())).collect()
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64> {
        let text = self.get(name).with_context(|| format!("{name}= is missing"))?;
        text.parse().with_context(|| format!("{name}={text}"))
    }

    pub(crate) fn optional(&self, name: &str) -> Result<Option<u64>> {
        self.get(name).map(|_| self.number(name)).transpose()
    }

    pub(crate) fn number_at(&self, place: usize) -> Result<u64> {
        let text = self.word(place)?;
        text.trim_start_matches(['#', 'i', 'r']).parse().with_context(|| format!("a number is wanted, not {text}"))
    }

    pub(crate) fn incarnation(&self, place: usize) -> Result<Incarnation> {
        Ok(Incarnation(self.number_at(place)?))
    }

    /// `alice` or `alice/phone`.
    pub(crate) fn key(&self, place: usize) -> Result<SessionKey> {
        let word = self.word(place)?;
        let (user, slot) = word.split_once('/').unwrap_or((word, ""));
        let user = if user == "-" { "" } else { user };
        Ok(SessionKey { user: Bytes::from(user.to_owned()), slot: Bytes::from(slot.to_owned()) })
    }

    /// `3.0`: revision and position.
    pub(crate) fn epoch(&self) -> Result<Epoch> {
        self.epoch_of("epoch")
    }

    pub(crate) fn epoch_of(&self, name: &str) -> Result<Epoch> {
        let text = self.get(name).with_context(|| format!("{name}= is missing"))?;
        let (revision, position) = pair(text)?;
        Ok(Epoch { revision: Revision(revision), position })
    }
}

pub(crate) fn cursor(text: &str) -> Result<NoticeCursor> {
    let (revision, position) = pair(text)?;
    Ok(NoticeCursor { revision: Revision(revision), position })
}

pub(crate) fn pair(text: &str) -> Result<(u64, u32)> {
    let (revision, position) = text.split_once('.').with_context(|| format!("{text} is not revision.position"))?;
    ensure!(!revision.is_empty(), "{text} has no revision");
    Ok((revision.parse()?, position.parse()?))
}

fn unfold(word: &str) -> String {
    word.split_inclusive(['/', ',']).map(unfold_part).collect()
}

fn unfold_part(part: &str) -> String {
    let (word, end) = part.strip_suffix(['/', ',']).map_or((part, ""), |word| (word, &part[word.len()..]));
    let repeated = word.split_once('x').and_then(|(what, count)| {
        let count: usize = count.parse().ok().filter(|_| what.len() == 1)?;
        Some(what.repeat(count))
    });
    repeated.unwrap_or_else(|| word.replace('_', " ")) + end
}
