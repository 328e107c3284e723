//! What an admin publishes: one document or several, all in one revision or none.

use keeper_proto::v1::{
    self,
    publish_request::{Change, Delete, Put, change::Action},
};

use crate::Format;

/// A change of one document.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Edit(Change);

impl Edit {
    /// Writes a document; the format follows from the path's ending unless [`format`](Self::format) says it.
    pub fn put(path: impl Into<String>, text: impl Into<String>) -> Self {
        let put = Put { format: v1::Format::Unspecified.into(), text: text.into(), secrets: Vec::new() };
        Self(Change { path: path.into(), action: Some(Action::Put(put)), expected_revision: None })
    }

    /// Removes a document; its history stays.
    pub fn delete(path: impl Into<String>) -> Self {
        Self(Change { path: path.into(), action: Some(Action::Delete(Delete {})), expected_revision: None })
    }

    /// How the text is written.
    pub fn format(mut self, format: Format) -> Self {
        if let Some(Action::Put(put)) = &mut self.0.action {
            put.format = to_proto(Some(format)).into();
        }
        self
    }

    /// Refuses unless the document stands at this revision.
    pub const fn expecting(mut self, revision: u64) -> Self {
        self.0.expected_revision = Some(revision);
        self
    }

    /// Refuses if there is such a document.
    pub const fn expecting_none(self) -> Self {
        self.expecting(0)
    }
}

pub(crate) fn to_proto(format: Option<Format>) -> v1::Format {
    match format {
        None => v1::Format::Unspecified,
        Some(Format::Toml) => v1::Format::Toml,
        Some(Format::Yaml) => v1::Format::Yaml,
        Some(Format::Json) => v1::Format::Json,
        Some(Format::Ini) => v1::Format::Ini,
    }
}

/// Changes that are published together: 1 to 64.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Publish {
    pub(crate) changes: Vec<Change>,
    pub(crate) author: String,
    pub(crate) message: String,
}

impl Publish {
    /// One change to begin with.
    pub fn of(edit: Edit) -> Self {
        Self { changes: vec![edit.0], ..Self::default() }
    }

    /// One more change, in the same revision.
    pub fn and(mut self, edit: Edit) -> Self {
        self.changes.push(edit.0);
        self
    }

    /// Who publishes: at most 128 bytes, unverified.
    pub fn author(mut self, author: impl Into<String>) -> Self {
        self.author = author.into();
        self
    }

    /// Why: at most 1,024 bytes.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }
}

impl From<Edit> for Publish {
    fn from(edit: Edit) -> Self {
        Self::of(edit)
    }
}

/// A publish that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Where the documents now stand.
    pub revision: u64,
    /// False when every text was already what is published.
    pub changed: bool,
}
