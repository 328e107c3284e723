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
    /// Writes a document; the format follows from the path's ending unless [`format`](Self::format) says it. A layer
    /// is a document of its own: `push/room.toml@zone=eu-1`.
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

    /// Seals a field, as `push.token`, beside those that a schema marks as secrets: nobody but the processes that read
    /// it sees it from then on. It stays sealed in later versions.
    pub fn secret(mut self, field: impl Into<String>) -> Self {
        if let Some(Action::Put(put)) = &mut self.0.action {
            put.secrets.push(field.into());
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
    changes: Vec<Change>,
    author: String,
    message: String,
    forced: String,
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

    /// Publishes although schemas, or processes that read the documents, speak against it. The reason, at most 1,024
    /// bytes and not empty, is kept in the history.
    pub fn forced(mut self, reason: impl Into<String>) -> Self {
        self.forced = reason.into();
        self
    }

    /// Without a request id, and to be published.
    pub(crate) fn into_proto(self) -> v1::PublishRequest {
        let Self { changes, author, message, forced } = self;
        v1::PublishRequest { changes, author, message, forced, ..Default::default() }
    }
}

impl From<Edit> for Publish {
    fn from(edit: Edit) -> Self {
        Self::of(edit)
    }
}

/// A past version that is to be published anew.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Rollback(v1::RollbackRequest);

impl Rollback {
    /// Publishes `path` as it was at `revision`, which the history must still hold.
    pub fn to(path: impl Into<String>, revision: u64) -> Self {
        Self(v1::RollbackRequest { path: path.into(), to_revision: revision, ..Default::default() })
    }

    /// Refuses unless the document stands at this revision.
    pub const fn expecting(mut self, revision: u64) -> Self {
        self.0.expected_revision = Some(revision);
        self
    }

    /// Who publishes: at most 128 bytes, unverified.
    pub fn author(mut self, author: impl Into<String>) -> Self {
        self.0.author = author.into();
        self
    }

    /// Why: at most 1,024 bytes; "rollback to revision N" when it is not said.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// As [`Publish::forced`].
    pub fn forced(mut self, reason: impl Into<String>) -> Self {
        self.0.forced = reason.into();
        self
    }

    pub(crate) fn into_proto(self) -> v1::RollbackRequest {
        self.0
    }
}
