//! What is asked about documents.

use std::sync::Arc;

use bytes::Bytes;

use super::{HistoryPolicy, Witness, layer};
use crate::{Level, RequestId, Revision, SessionPolicy, numbered::numbered};

/// Publishes documents, all in one revision or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publish {
    /// 1 to `limits::PUBLISH_DOCUMENTS_MAX`; each path once.
    pub changes: Vec<DocumentChange>,
    /// Who asked.
    pub author: String,
    /// Why.
    pub message: String,
    /// For exactly-once.
    pub request: Option<RequestId>,
    /// What the proposer looked at to judge it: at most `limits::WITNESSES_MAX`.
    pub judged: Vec<Witness>,
    /// Why it is published although schemas or consumers speak against it; none: they do not.
    pub forced: Option<String>,
}

impl Publish {
    /// The level that its encoding comes with.
    pub(crate) fn encoding(&self) -> Level {
        let is_history = |change: &DocumentChange| {
            matches!(&change.action, DocumentAction::Put { policy: Some(Policy::History(_)), .. })
        };
        let is_new = !self.judged.is_empty() || self.forced.is_some() || self.changes.iter().any(is_history);
        if is_new { Level::CONFIGS } else { Level::FIRST }
    }

    pub(crate) fn has_layers(&self) -> bool {
        self.changes.iter().any(|change| change.path.contains(layer::MARK))
    }
}

/// One document of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentChange {
    /// Which document.
    pub path: String,
    /// Refuse unless this is its revision; `Revision(0)`: unless it does not exist.
    pub expected: Option<Revision>,
    /// What to do.
    pub action: DocumentAction,
}

/// What a publish does to one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentAction {
    /// Writes it.
    Put {
        /// How the text is written.
        format: Format,
        /// As written.
        text: Bytes,
        /// The canonical value, judged by the proposer.
        value: Bytes,
        /// What the document decides, read by the proposer; none but for those at `limits::POLICY_PATH` and
        /// `limits::HISTORY_PATH`.
        policy: Option<Policy>,
    },
    /// Removes it; its history stays.
    Delete,
}

/// What a document of the cluster's own decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// About sessions.
    Sessions(Arc<SessionPolicy>),
    /// About past versions of documents.
    History(Arc<HistoryPolicy>),
}

numbered! {
    /// How a document's text is written.
    pub enum Format {
        /// TOML 1.
        Toml = 1,
        /// YAML 1.2.
        Yaml = 2,
        /// JSON (RFC 8259).
        Json = 3,
        /// INI.
        Ini = 4,
    }
}
