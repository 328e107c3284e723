//! Documents, and what is said of them, as they come from the wire.

use keeper_proto::v1;
use serde_json::Value;

use crate::{
    Applied, ConfigStatus, Document, DocumentsChanged, FieldChange, Format, Gone, InstanceConfig, Objection, Published,
    Verdict,
};

pub(crate) const fn format(format: v1::Format) -> Option<Format> {
    match format {
        v1::Format::Unspecified => None,
        v1::Format::Toml => Some(Format::Toml),
        v1::Format::Yaml => Some(Format::Yaml),
        v1::Format::Json => Some(Format::Json),
        v1::Format::Ini => Some(Format::Ini),
    }
}

pub(crate) fn document(document: v1::Document) -> Document {
    Document {
        format: format(document.format()),
        path: document.path,
        text: document.text,
        canonical: document.value,
        revision: document.revision,
        version: document.version,
        author: document.author,
        message: document.message,
        published_at_ms: document.published_at_ms,
        deleted: document.deleted,
        forced: (!document.forced.is_empty()).then_some(document.forced),
        secrets: document.secrets,
        secret_keys: document.secret_keys,
    }
}

pub(crate) fn changed(frame: v1::ConfigsChanged) -> DocumentsChanged {
    DocumentsChanged {
        revision: frame.cursor,
        state_id: frame.state_id,
        reset: frame.reset,
        documents: frame.documents.into_iter().map(document).collect(),
    }
}

/// A rollout by its number; zero stands for none.
pub(crate) fn rollout(rollout: u64) -> Option<u64> {
    (rollout > 0).then_some(rollout)
}

/// JSON in a text; an empty one stands for no value. What cannot be read is shown as it came.
pub(crate) fn json(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
}

pub(crate) fn field_change(change: v1::FieldChange) -> FieldChange {
    FieldChange { path: change.field, old: json(&change.old), new: json(&change.new) }
}

pub(crate) fn published(reply: v1::PublishReply) -> Published {
    let verdict = |it: v1::publish_reply::Verdict| Verdict {
        path: it.path,
        from_revision: it.from_revision,
        fields: it.fields.into_iter().map(field_change).collect(),
        instances: it.instances,
        canonical: it.value,
    };
    Published {
        revision: reply.revision,
        changed: reply.changed,
        documents: reply.documents.into_iter().map(verdict).collect(),
        objections: reply.objections.into_iter().map(objection).collect(),
        objections_more: reply.objections_more,
        notes: reply.notes,
    }
}

pub(crate) fn objection(objection: v1::Objection) -> Objection {
    let v1::Objection { path, layers, field, message, schema, service, version, instances } = objection;
    Objection { path, layers, field, message, schema, service, version, instances }
}

pub(crate) fn status(reply: v1::ConfigStatusReply) -> ConfigStatus {
    ConfigStatus {
        revision: reply.revision,
        listening_since_ms: reply.listening_since_ms,
        readers: reply.readers,
        applied: reply.applied,
        refused: reply.refused,
        needs_restart: reply.needs_restart,
        waiting: reply.waiting,
        revisions: reply.revisions.into_iter().map(|it| (it.revision, it.instances)).collect(),
        gone: reply.gone,
        closed: reply.closed,
        // A node of an older release does not say.
        reached: reply.reached.max(reply.applied),
        instances: reply.rows.into_iter().map(instance).collect(),
    }
}

fn instance(row: v1::config_status_reply::Row) -> InstanceConfig {
    let applied = match row.applied() {
        v1::Applied::Unspecified => Applied::Waiting,
        v1::Applied::Yes => Applied::Yes,
        v1::Applied::Refused => Applied::Refused,
        v1::Applied::NeedsRestart => Applied::NeedsRestart,
    };
    let gone = match row.gone() {
        v1::config_status_reply::Gone::Unspecified => None,
        v1::config_status_reply::Gone::Closed => Some(Gone::Closed),
        v1::config_status_reply::Gone::Expired => Some(Gone::Expired),
        v1::config_status_reply::Gone::Replaced => Some(Gone::Replaced),
    };
    InstanceConfig {
        gone,
        service: row.service,
        id: row.id,
        incarnation: row.incarnation,
        version: row.version,
        wanted_revision: row.wanted_revision,
        revision: row.revision,
        running_revision: row.running_revision,
        applied,
        reason: row.reason,
        rollout: rollout(row.rollout),
    }
}
