//! What instances have said, in memory alone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use keeper_registry::{Incarnation, Revision};

use super::Message;
use crate::limits::{ACK_REASON_BYTES_TOTAL_MAX, ACKS_MAX, ACKS_TOTAL_MAX, LAST_WORDS_KEPT};
use crate::metrics::Applied;
use crate::problem::Problem;

/// How soon an instance that finds no room may try again: room comes with instances that close.
const RETRY_AFTER_MS: u32 = 1_000;

/// What an instance makes of a revision of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Which revision.
    pub revision: Revision,
    /// What it makes of it.
    pub applied: Applied,
    /// Why it refuses, or what needs the restart.
    pub reason: Arc<str>,
    /// What it runs with, as far as it has said; 0: nobody knows.
    pub running: Revision,
}

/// How an instance is, by its own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Well.
    Healthy,
    /// Not well, and why.
    Unwell(Arc<str>),
}

/// What one instance has said.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) documents: BTreeMap<Arc<str>, Ack>,
    pub(super) health: Option<Health>,
}

/// By incarnation. An instance that has said nothing is not in it.
#[derive(Debug, Default)]
pub(super) struct Table {
    said: BTreeMap<Incarnation, Said>,
    documents: usize,
    /// Of reasons.
    bytes: usize,
    /// What those said last that closed most recently, for who waits and has not looked since: the newest at the end.
    last_words: VecDeque<(Incarnation, Said)>,
    documents_of_last_words: usize,
}

impl Ack {
    /// As it was said.
    #[must_use]
    pub fn new(revision: Revision, applied: Applied, reason: &str) -> Self {
        let running = if applied == Applied::Refused { Revision::default() } else { revision };
        Self { revision, applied, reason: reason.into(), running }
    }
}

impl Said {
    fn bytes(&self) -> usize {
        let health = match &self.health {
            Some(Health::Unwell(reason)) => reason.len(),
            Some(Health::Healthy) | None => 0,
        };
        self.documents.values().map(|ack| ack.reason.len()).sum::<usize>() + health
    }

    fn take(&mut self, message: Message, known: &[Arc<str>]) {
        let former = if message.is_all { std::mem::take(&mut self.documents) } else { BTreeMap::new() };
        for (path, mut ack) in message.documents {
            let before = former.get(path.as_str()).or_else(|| self.documents.get(path.as_str()));
            // Two messages under way may overtake each other; what is newest of a document counts.
            if !message.is_all && before.is_some_and(|before| before.revision > ack.revision) {
                continue;
            }
            if ack.applied == Applied::Refused {
                ack.running = before.map_or(ack.running, |before| before.running);
            }
            let named = known.iter().find(|named| ***named == *path).cloned();
            self.documents.insert(named.unwrap_or_else(|| path.into()), ack);
        }
        self.health = message.health.or_else(|| self.health.take());
    }
}

impl Table {
    pub(super) const fn documents(&self) -> usize {
        self.documents
    }

    /// `known` are paths that others name too, so that they lie in memory once.
    pub(super) fn hear(
        &mut self,
        incarnation: Incarnation,
        message: Message,
        known: &[Arc<str>],
    ) -> Result<(), Problem> {
        let former = self.said.get(&incarnation);
        let mut said = former.cloned().unwrap_or_default();
        let (documents, bytes) = (said.documents.len(), said.bytes());
        said.take(message, known);
        let full = |what, limit: usize| Problem::Full { what, limit: limit as u64, retry_after_ms: RETRY_AFTER_MS };
        if said.documents.len() > ACKS_MAX {
            return Err(full("documents that one instance acknowledges", ACKS_MAX));
        }
        let (documents, bytes) = (self.documents - documents + said.documents.len(), self.bytes - bytes + said.bytes());
        if documents > ACKS_TOTAL_MAX && documents > self.documents {
            return Err(full("acknowledgements", ACKS_TOTAL_MAX));
        }
        if bytes > ACK_REASON_BYTES_TOTAL_MAX && bytes > self.bytes {
            return Err(full("bytes of reasons in acknowledgements", ACK_REASON_BYTES_TOTAL_MAX));
        }
        (self.documents, self.bytes) = (documents, bytes);
        self.said.insert(incarnation, said);
        Ok(())
    }

    pub(super) fn said(&self, incarnation: Incarnation) -> Option<&Said> {
        self.said.get(&incarnation)
    }

    /// What an incarnation said last of a document, though it may have closed a moment ago.
    pub(super) fn last_word(&self, incarnation: Incarnation, path: &str) -> Option<&Ack> {
        let closed = || self.last_words.iter().rev().find(|(it, _)| *it == incarnation).map(|(_, said)| said);
        self.said(incarnation).or_else(closed)?.documents.get(path)
    }

    pub(super) fn forget(&mut self, incarnation: Incarnation) {
        if let Some(said) = self.said.remove(&incarnation) {
            self.documents -= said.documents.len();
            self.bytes -= said.bytes();
            self.keep_last_words(incarnation, said);
        }
    }

    fn keep_last_words(&mut self, incarnation: Incarnation, said: Said) {
        self.documents_of_last_words += said.documents.len();
        self.last_words.push_back((incarnation, said));
        while self.documents_of_last_words > LAST_WORDS_KEPT {
            let Some((_, oldest)) = self.last_words.pop_front() else { break };
            self.documents_of_last_words -= oldest.documents.len();
        }
    }

    pub(super) fn retain(&mut self, is_open: impl Fn(Incarnation) -> bool) {
        let closed: Vec<_> = self.said.keys().copied().filter(|incarnation| !is_open(*incarnation)).collect();
        closed.into_iter().for_each(|incarnation| self.forget(incarnation));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(path: &str, revision: u64, applied: Applied, reason: &str) -> (String, Ack) {
        (path.to_owned(), Ack::new(Revision(revision), applied, reason))
    }

    fn message(documents: Vec<(String, Ack)>) -> Message {
        Message { is_all: false, documents, health: None }
    }

    #[test]
    fn what_is_newest_of_a_document_counts_and_a_refusal_keeps_what_runs() {
        let mut table = Table::default();
        let mut hear = |documents| table.hear(Incarnation(1), message(documents), &[]).expect("room");
        hear(vec![ack("a", 5, Applied::Yes, "")]);
        hear(vec![ack("a", 7, Applied::Refused, "too large")]);
        hear(vec![ack("a", 6, Applied::Yes, ""), ack("b", 2, Applied::NeedsRestart, "port")]);
        let said = table.said(Incarnation(1)).expect("it spoke");
        let a = &said.documents["a"];
        assert_eq!((a.revision, a.running, a.applied), (Revision(7), Revision(5), Applied::Refused));
        assert_eq!((table.documents, table.bytes), (2, "too large".len() + "port".len()));
        table.forget(Incarnation(1));
        assert_eq!((table.documents, table.bytes), (0, 0));
    }

    #[test]
    fn a_last_word_outlives_its_instance_for_a_while() {
        let mut table = Table::default();
        let closed = LAST_WORDS_KEPT as u64 + 1;
        for n in 0..closed {
            table.hear(Incarnation(n), message(vec![ack("a", 7, Applied::Refused, "no")]), &[]).expect("room");
            table.forget(Incarnation(n));
        }
        let word = |n| table.last_word(Incarnation(n), "a").map(|ack| ack.applied);
        assert_eq!([word(0), word(1), word(closed - 1)], [None, Some(Applied::Refused), Some(Applied::Refused)]);
        assert!(table.said(Incarnation(1)).is_none() && table.last_word(Incarnation(1), "b").is_none());
    }

    #[test]
    fn all_is_all_of_documents_and_health_stays_as_it_was() {
        let mut table = Table::default();
        let both = vec![ack("a", 5, Applied::Yes, ""), ack("b", 5, Applied::Yes, "")];
        let unwell = Some(Health::Unwell("no disk".into()));
        table.hear(Incarnation(1), Message { health: unwell, ..message(both) }, &[]).expect("room");
        let all = Message { is_all: true, ..message(vec![ack("a", 4, Applied::Yes, "")]) };
        table.hear(Incarnation(1), all, &[]).expect("room");
        let said = table.said(Incarnation(1)).expect("it spoke");
        assert_eq!(said.documents.keys().map(|path| &**path).collect::<Vec<_>>(), ["a"]);
        assert_eq!(said.documents["a"].revision, Revision(4));
        assert_eq!((&said.health, table.bytes), (&Some(Health::Unwell("no disk".into())), "no disk".len()));
    }

    #[test]
    fn an_instance_has_so_many_documents_and_nobody_takes_all_the_room() {
        let mut table = Table::default();
        let many = |from: usize| (from..from + ACKS_MAX).map(|n| ack(&n.to_string(), 1, Applied::Yes, "")).collect();
        table.hear(Incarnation(1), message(many(0)), &[]).expect("room");
        let refused = table.hear(Incarnation(1), message(many(1)), &[]).expect_err("one too many");
        assert!(matches!(refused, Problem::Full { limit: 256, .. }), "{refused}");
        assert_eq!(table.documents, ACKS_MAX);
        table.documents = ACKS_TOTAL_MAX;
        let refused = table.hear(Incarnation(2), message(vec![ack("a", 1, Applied::Yes, "")]), &[]);
        assert!(matches!(refused, Err(Problem::Full { what: "acknowledgements", .. })), "{refused:?}");
    }
}
