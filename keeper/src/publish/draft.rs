//! What somebody asks to be published, read and not yet judged.

use bytes::Bytes;
use keeper_registry::{DocumentAction, DocumentChange, Format, Policy, Publish, RequestId, Revision};

use crate::config::Field;
use crate::format::{Value, canonical};

/// What a publish takes in the log beyond its texts and values.
const OVERHEAD_BYTES: usize = 256;

/// Changes that are to be published together.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// 1 to 64; each path once.
    pub changes: Vec<DraftChange>,
    /// Who asks.
    pub author: String,
    /// Why.
    pub message: String,
    /// For exactly-once.
    pub request: Option<RequestId>,
    /// Why it is to be published whatever speaks against it; none: it is not to be, then.
    pub forced: Option<String>,
}

/// A change of one document.
#[derive(Debug, Clone)]
pub struct DraftChange {
    /// The key: a path, and perhaps a layer.
    pub path: String,
    /// Refuse unless this is its revision; `Revision(0)`: unless it does not exist.
    pub expected: Option<Revision>,
    /// What to do.
    pub action: DraftAction,
}

/// What is done to a document.
#[derive(Debug, Clone)]
pub enum DraftAction {
    /// It is written.
    Put(Box<Written>),
    /// It is removed; its history stays.
    Delete,
}

/// A text and what it says.
#[derive(Debug, Clone)]
pub struct Written {
    /// How it is written.
    pub format: Format,
    /// As written.
    pub text: String,
    /// What it says.
    pub value: Value,
    /// What it decides, if it is a document of the cluster's own.
    pub policy: Option<Policy>,
    /// Fields that are to be sealed.
    pub secrets: Vec<Field>,
}

impl Draft {
    /// What is proposed of it, as it stands.
    pub(crate) fn publish(&self) -> Publish {
        let change = |change: &DraftChange| {
            let action = match &change.action {
                DraftAction::Delete => DocumentAction::Delete,
                DraftAction::Put(written) => DocumentAction::Put {
                    format: written.format,
                    text: Bytes::copy_from_slice(written.text.as_bytes()),
                    value: canonical(&written.value),
                    policy: written.policy.clone(),
                },
            };
            DocumentChange { path: change.path.clone(), expected: change.expected, action }
        };
        Publish {
            changes: self.changes.iter().map(change).collect(),
            author: self.author.clone(),
            message: self.message.clone(),
            request: self.request,
            judged: Vec::new(),
            forced: self.forced.clone(),
        }
    }

    /// What is written, by its place among the changes.
    pub(super) fn written(&self) -> impl Iterator<Item = (usize, &str, &Written)> {
        let puts = self.changes.iter().enumerate();
        puts.filter_map(|(place, change)| match &change.action {
            DraftAction::Put(written) => Some((place, change.path.as_str(), &**written)),
            DraftAction::Delete => None,
        })
    }
}

/// About how many bytes a publish takes in the log.
pub(super) fn bytes(publish: &Publish) -> usize {
    let of = |change: &DocumentChange| match &change.action {
        DocumentAction::Put { text, value, .. } => text.len() + value.len(),
        DocumentAction::Delete => 0,
    };
    OVERHEAD_BYTES + publish.changes.iter().map(of).sum::<usize>()
}
