//! Texts, compared, merged and written anew: calls, because only servers know the formats.

use keeper_proto::v1::{self, diff_request};
use serde_json::Value;

use crate::{
    Configs, Error, FieldChange, Format,
    config::{configs::client, from_proto, publish::to_proto},
    connection::{Aim, Retry},
};

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Side(diff_request::Side);

impl Side {
    /// The document as it is published now.
    pub fn present(path: impl Into<String>) -> Self {
        Self::at(path, 0)
    }

    /// The document as it was at a revision, which the history must still hold.
    pub fn at(path: impl Into<String>, revision: u64) -> Self {
        Self::of(path, diff_request::side::What::Revision(revision))
    }

    /// A text that would be the document; the format follows from the path's ending unless
    /// [`format`](Self::format) says it.
    pub fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self::of(path, diff_request::side::What::Text(text.into()))
    }

    /// How the text is written.
    pub fn format(mut self, format: Format) -> Self {
        self.0.format = to_proto(Some(format)).into();
        self
    }

    fn of(path: impl Into<String>, what: diff_request::side::What) -> Self {
        Self(diff_request::Side { path: path.into(), what: Some(what), ..Default::default() })
    }
}

/// What differs between two texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Field by field; secrets are masked.
    pub fields: Vec<FieldChange>,
    /// Line by line: unified, three lines of context, secrets masked.
    pub text: String,
}

/// Two changes of one text that are to become one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merge {
    /// The document's name.
    pub path: String,
    /// How the texts are written; none: as the path's ending says.
    pub format: Option<Format>,
    /// What both began with.
    pub base: String,
    /// One of them.
    pub ours: String,
    /// The other.
    pub theirs: String,
}

/// Two changes in one text.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// In the same format; where the sides disagree, ours.
    pub text: String,
    /// Where they disagree.
    pub conflicts: Vec<Conflict>,
    /// Which comments and layout the text has.
    pub comments: Comments,
}

/// Which comments and layout a merged text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// Those of both sides.
    Both,
    /// Ours: values that they changed were put in, and what they wrote beside them is not there.
    Ours,
    /// None: the text was written anew from its value. So says a node of an older release that may have kept some.
    Nobodys,
}

/// A field that both sides changed, each in its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// As `push.max_inflight`.
    pub path: String,
    /// What it was; none: it was not there.
    pub base: Option<Value>,
    /// What it is on our side.
    pub ours: Option<Value>,
    /// What it is on theirs.
    pub theirs: Option<Value>,
}

impl Configs {
    /// What differs between two texts or versions.
    ///
    /// # Errors
    /// [`Error::Refused`] when a text is unsound or the history does not hold a version; otherwise as [`Error`] says.
    pub async fn diff(&self, old: Side, new: Side) -> Result<Compared, Error> {
        let request = v1::DiffRequest { old: Some(old.0), new: Some(new.0) };
        let method = |channel, request| async move { client(channel).diff(request).await };
        let reply = self.nodes.call("config diff", Aim::Any, Retry::Safe, request, method).await?;
        let fields = reply.fields.into_iter().map(from_proto::field_change).collect();
        Ok(Compared { fields, text: reply.text })
    }

    /// Two changes of one text in one.
    ///
    /// # Errors
    /// [`Error::Refused`] when a text is unsound; otherwise as [`Error`] says.
    pub async fn merge(&self, merge: Merge) -> Result<Merged, Error> {
        let Merge { path, format, base, ours, theirs } = merge;
        let request = v1::MergeRequest { path, format: to_proto(format).into(), base, ours, theirs };
        let method = |channel, request| async move { client(channel).merge(request).await };
        let reply = self.nodes.call("config merge", Aim::Any, Retry::Safe, request, method).await?;
        let conflict = |it: v1::merge_reply::Conflict| Conflict {
            path: it.field,
            base: from_proto::json(&it.base),
            ours: from_proto::json(&it.ours),
            theirs: from_proto::json(&it.theirs),
        };
        let comments = match reply.kept() {
            v1::merge_reply::Kept::Both => Comments::Both,
            v1::merge_reply::Kept::Ours => Comments::Ours,
            v1::merge_reply::Kept::None | v1::merge_reply::Kept::Unspecified => Comments::Nobodys,
        };
        Ok(Merged { text: reply.text, conflicts: reply.conflicts.into_iter().map(conflict).collect(), comments })
    }

    /// A text in another format; comments do not survive it.
    ///
    /// # Errors
    /// [`Error::Refused`] when the text is unsound, or says what the other format cannot; otherwise as [`Error`] says.
    pub async fn convert(&self, text: impl Into<String>, from: Format, to: Format) -> Result<String, Error> {
        let (from, to) = (to_proto(Some(from)).into(), to_proto(Some(to)).into());
        let request = v1::ConvertRequest { text: text.into(), from, to };
        let method = |channel, request| async move { client(channel).convert(request).await };
        Ok(self.nodes.call("config convert", Aim::Any, Retry::Safe, request, method).await?.text)
    }
}
