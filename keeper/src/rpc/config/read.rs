//! Documents as they are and as they were, and publishing again what was.

use keeper_proto::v1 as wire;
use keeper_registry::{Document, Revision, VersionAt};

use super::ConfigService;
use super::keys;
use super::told::{count, published};
use crate::config::secret::KeyRing;
use crate::config::{Patience, convert, rewrite};
use crate::format::{self, canonical};
use crate::limits;
use crate::problem::Problem;
use crate::publish::{Draft, DraftAction, DraftChange, Written};
use crate::rpc::{Reveals, from_proto, to_proto};
use crate::view::Consistency;

/// Versions a history call shows when it names no limit.
const HISTORY_DEFAULT: usize = 20;

impl ConfigService {
    pub(super) async fn document(&self, request: wire::GetConfigRequest) -> Result<wire::GetConfigReply, Problem> {
        self.check_reveals(request.reveal)?;
        let age = self.view.wait(consistency(&request)).await?;
        let (revision, document) = self.view.read(|state| {
            let document = match request.revision {
                0 => state.config(&request.path),
                revision => state.config_at(&request.path, Revision(revision)),
            };
            (state.revision().0, document.cloned())
        });
        let document = document.map(|document| {
            let shown = to_proto::document(&document, to_proto::Body::Whole);
            if request.reveal { revealed(&document, shown, self.publisher.keys()) } else { shown }
        });
        Ok(wire::GetConfigReply { revision, document, age_ms: Some(age.0) })
    }

    pub(super) async fn documents(&self, request: wire::ListConfigsRequest) -> Result<wire::ListConfigsReply, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let (revision, documents, kept) = self.view.read(|state| {
            let documents: Vec<_> = state.configs(&request.prefix).cloned().collect();
            let kept = if request.keys { keys::kept(state, &request.prefix) } else { Vec::new() };
            (state.revision().0, documents, kept)
        });
        let documents = documents.iter().map(|document| to_proto::document(document, to_proto::Body::Left)).collect();
        let keys = if kept.is_empty() {
            Vec::new()
        } else {
            self.publisher.offload().compute(move || keys::needed(&kept)).await
        };
        Ok(wire::ListConfigsReply { revision, documents, keys })
    }

    pub(super) async fn versions(&self, request: wire::HistoryRequest) -> Result<wire::HistoryReply, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => HISTORY_DEFAULT,
            limit => limit.min(keeper_registry::limits::HISTORY_KEPT),
        };
        let body = if request.full { to_proto::Body::Whole } else { to_proto::Body::Left };
        let (revision, versions) = self
            .view
            .read(|state| (state.revision().0, state.history(&request.path, limit).cloned().collect::<Vec<_>>()));
        let mut size = 0;
        let versions = versions.iter().take_while(|document| {
            // A page of whole documents ends before it outgrows a message; older ones are asked for one by one.
            size += if request.full { document.text.len() + document.value.len() } else { 0 };
            size <= limits::MESSAGE_BYTES_MAX / 2
        });
        let documents = versions.map(|document| to_proto::document(document, body)).collect();
        Ok(wire::HistoryReply { revision, documents })
    }

    pub(super) async fn readers(&self, path: &str) -> Result<wire::ConsumersReply, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        Ok(self.view.read(|state| {
            let groups = state.consumers(path).map(|consumers| {
                let group = consumers.group();
                wire::consumers_reply::Group {
                    service: group.service.to_string(),
                    version: group.version.to_string(),
                    instances: count(consumers.count()),
                    schema_hash: group.schema.map(|hash| hash.0.to_vec().into()).unwrap_or_default(),
                    schema: group.schema.and_then(|hash| state.schema(hash)).cloned().unwrap_or_default(),
                }
            });
            wire::ConsumersReply { revision: state.revision().0, groups: groups.collect() }
        }))
    }

    /// A past version is published as it was written, whoever reads it now is asked again whether he can.
    pub(super) async fn publish_past(&self, request: wire::RollbackRequest) -> Result<wire::PublishReply, Problem> {
        let to = request.to_revision;
        // The history that is read is the newest, so that what is refused here is not there.
        self.view.wait(Consistency::Linearizable).await?;
        let past = self.view.read(|state| match state.version_at(&request.path, Revision(to)) {
            VersionAt::Kept(document) => Ok(Some(document.clone())),
            VersionAt::Never => Ok(None),
            VersionAt::Pruned { oldest } => Err(oldest),
        });
        let past = past.map_err(|oldest| pruned("to_revision", &request.path, to, oldest))?;
        let past = past.filter(|document| document.revision.0 <= to).ok_or_else(|| Problem::Absent {
            field: "to_revision".to_owned(),
            message: format!("`{}` had not been published yet at revision {to}", request.path),
        })?;
        let message = if request.message.is_empty() { format!("rollback to revision {to}") } else { request.message };
        let draft = Draft {
            changes: vec![DraftChange {
                path: request.path,
                expected: request.expected_revision.map(Revision),
                action: again(&past)?,
            }],
            author: request.author,
            message,
            request: from_proto::request_id(&request.request_id)?,
            forced: (!request.forced.is_empty()).then_some(request.forced),
        };
        let done =
            if request.dry_run { self.publisher.try_publish(draft).await } else { self.publisher.publish(draft).await };
        done.map(published)
    }
}

impl ConfigService {
    /// Secrets are for those who may see them. Until there are roles, that is a setting of the node.
    pub(super) fn check_reveals(&self, asked: bool) -> Result<(), Problem> {
        if !asked || self.reveals == Reveals::Always {
            return Ok(());
        }
        let message = "this node shows no secrets: its setting secrets.reveal is not true".to_owned();
        Err(Problem::Declined { reason: "not-revealed", message })
    }
}

/// A document with its secrets open where this node's keys open them; in the text, too, where they stand.
fn revealed(document: &Document, shown: wire::Document, keys: &KeyRing) -> wire::Document {
    let text = String::from_utf8_lossy(&document.text).into_owned();
    let Ok(sealed) = format::parse(document.format, &text) else { return shown };
    let mut open = sealed.clone();
    let (mut text, mut now, mut patience) = (text, sealed, Patience::default());
    for field in keys.reveal(&document.path, &mut open) {
        let Some(secret) = field.of(&open) else { continue };
        text = rewrite(document.format, &text, &now, &field, secret, &mut patience)
            .or_else(|| convert(&open, document.format).ok())
            .unwrap_or(text);
        now = format::parse(document.format, &text).unwrap_or(now);
    }
    wire::Document { text, value: canonical(&open), ..shown }
}

/// What publishes a version again. Its text is read anew: what was sound then is refused now if it is not any more.
fn again(past: &Document) -> Result<DraftAction, Problem> {
    if past.deleted {
        return Ok(DraftAction::Delete);
    }
    let text = String::from_utf8_lossy(&past.text).into_owned();
    let value = super::draft::value("to_revision", past.format, &text)?;
    let policy = super::draft::policy("to_revision", &past.path, past.format, &text)?;
    Ok(DraftAction::Put(Box::new(Written { format: past.format, text, value, policy, secrets: Vec::new() })))
}

/// What was there is no longer known.
pub(super) fn pruned(field: &str, path: &str, asked: u64, oldest: Option<Revision>) -> Problem {
    let message = match oldest {
        Some(oldest) => format!(
            "the history of `{path}` does not reach back to revision {asked}: the oldest version that is kept is that \
             of revision {}",
            oldest.0
        ),
        None => format!("nothing is known of `{path}`"),
    };
    Problem::Absent { field: field.to_owned(), message }
}

fn consistency(request: &wire::GetConfigRequest) -> Consistency {
    use wire::get_config_request::Consistency as Asked;
    match request.consistency() {
        Asked::Unspecified | Asked::Linearizable => Consistency::Linearizable,
        Asked::Local => Consistency::Local,
    }
}
