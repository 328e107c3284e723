//! What a process runs with: the layers of a document, merged.

use bytes::Bytes;
use keeper_proto::v1;
use serde_json::Value;

use crate::{
    Configs, Error, Reader,
    config::{configs::client, from_proto},
    connection::{Aim, Retry},
};

/// A document as one process is to run with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveDocument {
    /// Its name, without a layer.
    pub path: String,
    /// When it last changed for this reader.
    pub revision: u64,
    /// The canonical value: JSON, keys sorted, no white space; empty when there is none.
    pub canonical: Bytes,
    /// There is nothing for this reader.
    pub deleted: bool,
    /// The rollout whose candidates it has.
    pub rollout: Option<u64>,
}

impl EffectiveDocument {
    /// The canonical value as a structure.
    ///
    /// # Errors
    /// [`Error::Broken`] when there is none, or it is no JSON.
    pub fn value(&self) -> Result<Value, Error> {
        serde_json::from_slice(&self.canonical)
            .map_err(|error| Error::malformed(format!("{} has no canonical value: {error}", self.path)))
    }
}

/// What an instance runs with, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The state that answered.
    pub revision: u64,
    /// None: there is no document for it.
    pub document: Option<EffectiveDocument>,
    /// Every field, sorted: which layer gave it.
    pub fields: Vec<GivenField>,
    /// The layers, in the order they are applied.
    pub layers: Vec<AppliedLayer>,
}

/// Where the value of a field comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenField {
    /// As `push.max_inflight`.
    pub path: String,
    /// What it is; secrets are masked unless revealed.
    pub value: Value,
    /// The key of the layer that gave it: the document's path, or the path with `@` and the layer.
    pub key: String,
}

/// A layer of an effective document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedLayer {
    /// The document's path, or the path with `@` and the layer.
    pub key: String,
    /// Of the publish that wrote it.
    pub revision: u64,
    /// The rollout it is a candidate of; none: it is published.
    pub rollout: Option<u64>,
}

/// Whether sealed fields are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// As dots.
    #[default]
    Masked,
    /// As they are: refused unless the node is set to allow it.
    Revealed,
}

impl Configs {
    /// What a reader runs with, and which layer gave each field. Linearizable.
    ///
    /// # Errors
    /// [`Error::Refused`] when the reader is an instance that is not open; otherwise as [`Error`] says.
    pub async fn effective(
        &self,
        path: impl Into<String>,
        reader: &Reader,
        secrets: Secrets,
    ) -> Result<Effective, Error> {
        let reader = Some(reader.to_proto());
        let request = v1::EffectiveRequest { path: path.into(), reader, reveal: secrets == Secrets::Revealed };
        let method = |channel, request| async move { client(channel).effective(request).await };
        self.nodes.call("config effective", Aim::Any, Retry::Safe, request, method).await.map(effective)
    }
}

pub(crate) fn effective_document(document: v1::EffectiveDocument) -> EffectiveDocument {
    let v1::EffectiveDocument { path, revision, value, deleted, rollout } = document;
    EffectiveDocument { path, revision, canonical: value, deleted, rollout: from_proto::rollout(rollout) }
}

fn effective(reply: v1::EffectiveReply) -> Effective {
    let given = |it: v1::effective_reply::Given| GivenField {
        path: it.field,
        value: from_proto::json(&it.value).unwrap_or_default(),
        key: it.key,
    };
    let applied = |it: v1::effective_reply::Applied| AppliedLayer {
        key: it.key,
        revision: it.revision,
        rollout: from_proto::rollout(it.rollout),
    };
    Effective {
        revision: reply.revision,
        document: reply.document.map(effective_document),
        fields: reply.fields.into_iter().map(given).collect(),
        layers: reply.layers.into_iter().map(applied).collect(),
    }
}
