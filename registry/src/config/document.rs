//! One version of a document.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    Format, LogTime, Revision,
    digest::{Digest, Kind},
};

/// One version of a document: what was published, or that it was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Which document.
    pub path: Arc<str>,
    /// How the text is written.
    pub format: Format,
    /// As written; empty when deleted.
    pub text: Bytes,
    /// The canonical value; empty when deleted.
    pub value: Bytes,
    /// Of the publish that wrote this.
    pub revision: Revision,
    /// 1, 2, 3 ... per path.
    pub version: u64,
    /// Who published.
    pub author: Arc<str>,
    /// Why.
    pub message: Arc<str>,
    /// When.
    pub published_at: LogTime,
    /// This version deleted the document.
    pub deleted: bool,
    /// Why it was published against the judgement of schemas or consumers; none: it was not.
    pub forced: Option<Arc<str>>,
}

impl Document {
    /// As every node counts it.
    pub(super) fn bytes(&self) -> usize {
        let forced = self.forced.as_ref().map_or(0, |reason| reason.len());
        self.path.len() + self.text.len() + self.value.len() + self.author.len() + self.message.len() + forced
    }

    pub(super) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Document)
            .text(&self.path)
            .number(u64::from(self.format.number()))
            .bytes(&self.text)
            .bytes(&self.value)
            .number(self.revision.0)
            .number(self.version)
            .text(&self.author)
            .text(&self.message)
            .number(self.published_at.0)
            .number(u64::from(self.deleted));
        // Nothing for one that was not forced: it hashes as it did before there was such a thing.
        self.forced.iter().fold(digest, |digest, reason| digest.text(reason)).finish()
    }
}
