//! The versions of one path.

use std::{collections::VecDeque, sync::Arc};

use super::Document;
use crate::{LogTime, Revision, limits};

/// A version, and its digest, so that a megabyte of text is hashed once.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) document: Arc<Document>,
    pub(super) digest: u64,
}

/// The newest version, which is what is published or says that nothing is, and past ones.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(super) newest: Version,
    /// Oldest first.
    past: VecDeque<Version>,
    past_bytes: usize,
}

impl History {
    pub(super) fn new(newest: Version) -> Self {
        Self { newest, past: VecDeque::new(), past_bytes: 0 }
    }

    /// The document, unless it is deleted.
    pub(super) fn present(&self) -> Option<&Arc<Document>> {
        Some(&self.newest.document).filter(|document| !document.deleted)
    }

    /// Puts a version on top; returns the one that becomes past.
    pub(super) fn push(&mut self, newest: Version) -> Arc<Document> {
        let former = std::mem::replace(&mut self.newest, newest);
        let document = Arc::clone(&former.document);
        self.past_bytes += document.bytes();
        self.past.push_back(former);
        document
    }

    pub(super) fn is_long(&self) -> bool {
        self.past.len() >= limits::HISTORY_KEPT || self.past_bytes > limits::HISTORY_BYTES_KEPT
    }

    pub(super) fn has_past(&self) -> bool {
        !self.past.is_empty()
    }

    pub(super) fn past_versions(&self) -> usize {
        self.past.len()
    }

    /// When the oldest past version ceased to be what is published.
    pub(super) fn oldest_replaced_at(&self) -> Option<LogTime> {
        self.past.front()?;
        Some(self.past.get(1).unwrap_or(&self.newest).document.published_at)
    }

    pub(super) fn pop(&mut self) -> Option<Version> {
        let oldest = self.past.pop_front()?;
        self.past_bytes -= oldest.document.bytes();
        Some(oldest)
    }

    /// The version that was the newest at a revision, if it is still kept.
    pub(super) fn at(&self, revision: Revision) -> Option<&Arc<Document>> {
        self.newest_first().find(|document| document.revision <= revision)
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Arc<Document>> {
        let past = self.past.iter().rev().map(|version| &version.document);
        std::iter::once(&self.newest.document).chain(past)
    }

    pub(crate) fn oldest_first(&self) -> impl Iterator<Item = &Arc<Document>> {
        let past = self.past.iter().map(|version| &version.document);
        past.chain(std::iter::once(&self.newest.document))
    }
}
