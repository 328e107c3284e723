//! What is said of a publish, on the wire.

use keeper_proto::v1 as wire;

use crate::config::Field;
use crate::config::diff::Change;
use crate::config::judge::{Objected, Objection, Objections, Objector};
use crate::format::{Value, canonical};
use crate::publish::{Published, Told};

/// The answer to a publish.
pub(in crate::rpc) fn published(published: Published) -> wire::PublishReply {
    let Published { revision, changed, documents, objections, notes } = published;
    let (told, more) = objections_told(&objections);
    wire::PublishReply {
        revision: revision.0,
        changed,
        documents: documents.into_iter().map(verdict).collect(),
        objections: told,
        objections_more: more,
        notes,
    }
}

fn verdict(told: Told) -> wire::publish_reply::Verdict {
    wire::publish_reply::Verdict {
        path: told.path,
        from_revision: told.from.0,
        fields: told.fields.iter().map(field_change).collect(),
        instances: count(told.instances),
        value: told.value.unwrap_or_default(),
    }
}

/// A field that is not what it was.
pub(super) fn field_change(change: &Change) -> wire::FieldChange {
    wire::FieldChange { field: name(&change.field), old: json(change.old.as_ref()), new: json(change.new.as_ref()) }
}

/// A field; empty: the document as a whole.
pub(super) fn name(field: &Field) -> String {
    if field.steps().is_empty() { String::new() } else { field.to_string() }
}

/// A value; empty: there is none.
pub(super) fn json(value: Option<&Value>) -> String {
    value.map(|value| String::from_utf8_lossy(&canonical(value)).into_owned()).unwrap_or_default()
}

/// What speaks against a publish, and how much more.
pub(super) fn objections_told(objections: &Objections) -> (Vec<wire::Objection>, u32) {
    (objections.told.iter().map(objection).collect(), count(objections.more))
}

fn objection(objection: &Objection) -> wire::Objection {
    let field = match &objection.what {
        Objected::Field { field, .. } => name(field),
        Objected::Deleted | Objected::Unusable(_) => String::new(),
    };
    let told = wire::Objection {
        path: objection.path.to_string(),
        layers: objection.layers.clone(),
        field,
        message: objection.to_string(),
        ..wire::Objection::default()
    };
    match &objection.by {
        Objector::Schema(key) => wire::Objection { schema: key.to_string(), ..told },
        Objector::Consumers { count: instances, service, version } => wire::Objection {
            service: service.to_string(),
            version: version.to_string(),
            instances: count(*instances),
            ..told
        },
    }
}

/// A number of things that are kept in memory.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
