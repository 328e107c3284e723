//! Two texts: what differs, and both in one.

use std::collections::BTreeSet;
use std::sync::Arc;

use keeper_proto::v1 as wire;
use keeper_proto::v1::diff_request::side::What;
use keeper_registry::{Document, Format, Revision, VersionAt};

use super::ConfigService;
use super::draft::{named_format, value};
use super::read::pruned;
use super::told::{field_change, json, name};
use crate::config::secret::{KeyRing, masked_text};
use crate::config::{Field, Kept, Sides, diff, lines, merge, merged_text};
use crate::format::{self, Value};
use crate::limits::{CHANGES_TOLD_BYTES_MAX, CHANGES_TOLD_MAX};
use crate::problem::Problem;
use crate::publish::hide;
use crate::rpc::from_proto::invalid;
use crate::view::Consistency;

/// One side of a comparison.
struct Side {
    name: String,
    text: String,
    value: Option<Value>,
    secrets: Vec<Field>,
}

impl Side {
    fn nothing(name: String) -> Self {
        Self { name, text: String::new(), value: None, secrets: Vec::new() }
    }

    fn of(document: &Document, keys: &KeyRing) -> Self {
        let name = format!("{} revision {}", document.path, document.revision.0);
        if document.deleted {
            return Self::nothing(format!("{name} (deleted)"));
        }
        let text = masked_text(&String::from_utf8_lossy(&document.text)).into_owned();
        let mut value = format::parse(Format::Json, &String::from_utf8_lossy(&document.value)).ok();
        let secrets = value.as_mut().map(|value| keys.reveal(&document.path, value)).unwrap_or_default();
        Self { name, text, value, secrets }
    }
}

impl ConfigService {
    pub(super) async fn compared(&self, request: wire::DiffRequest) -> Result<wire::DiffReply, Problem> {
        let old = self.side("old", request.old.unwrap_or_default()).await?;
        let new = self.side("new", request.new.unwrap_or_default()).await?;
        self.publisher.offload().compute(move || Ok(differences(&old, &new))).await
    }

    async fn side(&self, field: &'static str, side: wire::diff_request::Side) -> Result<Side, Problem> {
        let wire::diff_request::Side { what, path, format } = side;
        match what {
            None => Err(invalid(field, format!("`{field}` is neither a revision nor a text"))),
            Some(What::Text(text)) => {
                let format = named_format(format, &path)?;
                let read = move || value(&format!("{field}.text"), format, &text).map(|value| (value, text));
                let (value, text) = self.publisher.offload().compute(read).await?;
                let name = if path.is_empty() { field.to_owned() } else { path };
                Ok(Side { name, text, value: Some(value), secrets: Vec::new() })
            }
            Some(What::Revision(revision)) => self.version(&format!("{field}.revision"), &path, revision).await,
        }
    }

    async fn version(&self, field: &str, path: &str, revision: u64) -> Result<Side, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let found = self.view.read(|state| match revision {
            0 => Ok(state.config(path).map(Arc::clone)),
            revision => match state.version_at(path, Revision(revision)) {
                VersionAt::Kept(document) => Ok(Some(Arc::clone(document))),
                VersionAt::Never => Ok(None),
                VersionAt::Pruned { oldest } => Err(pruned(field, path, revision, oldest)),
            },
        })?;
        Ok(match found {
            Some(document) => Side::of(&document, self.publisher.keys()),
            None => Side::nothing(format!("{path} (nothing)")),
        })
    }

    pub(super) async fn merged(&self, request: wire::MergeRequest) -> Result<wire::MergeReply, Problem> {
        let format = named_format(request.format, &request.path)?;
        self.publisher.offload().compute(move || merged(format, &request)).await
    }
}

fn differences(old: &Side, new: &Side) -> wire::DiffReply {
    let mut fields = diff::between(old.value.as_ref(), new.value.as_ref());
    fields.truncate(CHANGES_TOLD_MAX);
    let secrets: BTreeSet<_> = old.secrets.iter().chain(&new.secrets).cloned().collect();
    for change in &mut fields {
        hide(change, &secrets);
    }
    let mut room = CHANGES_TOLD_BYTES_MAX;
    let fields = fields.iter().map(field_change).take_while(|change| {
        let left = room.checked_sub(change.field.len() + change.old.len() + change.new.len());
        room = left.unwrap_or_default();
        left.is_some()
    });
    let fields = fields.collect();
    let text = lines::unified(&old.text, &new.text, &old.name, &new.name, CHANGES_TOLD_BYTES_MAX);
    wire::DiffReply { fields, text }
}

/// What both meant, by fields; and a text that says it.
fn merged(format: Format, request: &wire::MergeRequest) -> Result<wire::MergeReply, Problem> {
    let read = |field: &str, text: &str| value(field, format, text);
    let base = if request.base.is_empty() { None } else { Some(read("base", &request.base)?) };
    let (ours, theirs) = (read("ours", &request.ours)?, read("theirs", &request.theirs)?);
    let merged = merge(base.as_ref(), Some(&ours), Some(&theirs));
    let conflicts = merged.conflicts.iter().map(|conflict| wire::merge_reply::Conflict {
        field: name(&conflict.field),
        base: json(conflict.base.as_ref()),
        ours: json(conflict.ours.as_ref()),
        theirs: json(conflict.theirs.as_ref()),
    });
    let conflicts = conflicts.collect();
    let sides = Sides { base: &request.base, ours: &request.ours, theirs: &request.theirs };
    let text = merged.value.as_ref().map(|value| merged_text(format, sides, &ours, value)).transpose();
    let (text, kept) =
        text.map_err(|error| invalid("format", error.to_string()))?.unwrap_or((String::new(), Kept::Both));
    let kept = match kept {
        Kept::Both => wire::merge_reply::Kept::Both,
        Kept::Ours => wire::merge_reply::Kept::Ours,
        Kept::Nothing => wire::merge_reply::Kept::None,
    };
    Ok(wire::MergeReply { text, conflicts, kept: kept.into() })
}
