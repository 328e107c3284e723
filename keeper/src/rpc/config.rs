//! `keeper.v1.Configs`.
//!
//! The text is parsed here, on the leader, before it is proposed: the entry carries the text and the canonical value,
//! and no replica ever parses. Of the document that holds the session policy the entry carries what it says as well.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use keeper_proto::v1 as wire;
use keeper_proto::v1::configs_server::Configs;
use keeper_registry::{Command, DocumentAction, DocumentChange, Format, Policy, Publish, Reply, Revision, StateId};
use tonic::{Request, Response, Status};

use crate::format;
use crate::limits;
use crate::policy;
use crate::problem::{Problem, excerpt};
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::rpc::from_proto::invalid;
use crate::rpc::{ReplyStream, error, from_proto, to_proto};
use crate::view::{Consistency, View};
use crate::watch::{Changed, ConfigsChanged, Watches};

/// What a publish takes in the log beyond its texts and values.
const OVERHEAD_BYTES: usize = 256;

/// Versions a history call shows when it names no limit.
const HISTORY_DEFAULT: usize = 20;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct ConfigService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) watches: Watches,
}

#[tonic::async_trait]
impl Configs for ConfigService {
    type WatchStream = ReplyStream<wire::ConfigsChanged>;

    async fn publish(&self, request: Request<wire::PublishRequest>) -> Result<Response<wire::PublishReply>, Status> {
        let reply = self.propose(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    async fn get(&self, request: Request<wire::GetConfigRequest>) -> Result<Response<wire::GetConfigReply>, Status> {
        let request = request.into_inner();
        let age = self.view.wait(consistency(&request)).await.map_err(|problem| error::status(&problem))?;
        let reply = self.view.read(|state| {
            let document = match request.revision {
                0 => state.config(&request.path),
                revision => state.config_at(&request.path, Revision(revision)),
            };
            wire::GetConfigReply {
                revision: state.revision().0,
                document: document.map(|document| to_proto::document(document, to_proto::Body::Whole)),
                age_ms: Some(age.0),
            }
        });
        Ok(Response::new(reply))
    }

    async fn list(
        &self,
        request: Request<wire::ListConfigsRequest>,
    ) -> Result<Response<wire::ListConfigsReply>, Status> {
        let prefix = request.into_inner().prefix;
        self.view.wait(Consistency::Linearizable).await.map_err(|problem| error::status(&problem))?;
        let reply = self.view.read(|state| wire::ListConfigsReply {
            revision: state.revision().0,
            documents: state
                .configs(&prefix)
                .map(|document| to_proto::document(document, to_proto::Body::Left))
                .collect(),
        });
        Ok(Response::new(reply))
    }

    async fn history(&self, request: Request<wire::HistoryRequest>) -> Result<Response<wire::HistoryReply>, Status> {
        let request = request.into_inner();
        self.view.wait(Consistency::Linearizable).await.map_err(|problem| error::status(&problem))?;
        let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
            0 => HISTORY_DEFAULT,
            limit => limit.min(keeper_registry::limits::HISTORY_KEPT),
        };
        let body = if request.full { to_proto::Body::Whole } else { to_proto::Body::Left };
        let reply = self.view.read(|state| {
            let mut size = 0;
            let documents = state.history(&request.path, limit).take_while(|document| {
                // A page of whole documents ends before it outgrows a message; older ones are asked for one by one.
                size += if request.full { document.text.len() + document.value.len() } else { 0 };
                size <= limits::MESSAGE_BYTES_MAX / 2
            });
            let documents = documents.map(|document| to_proto::document(document, body)).collect();
            wire::HistoryReply { revision: state.revision().0, documents }
        });
        Ok(Response::new(reply))
    }

    async fn lint(&self, request: Request<wire::LintRequest>) -> Result<Response<wire::LintReply>, Status> {
        let request = request.into_inner();
        let format = named_format(request.format, &request.path).map_err(|problem| error::status(&problem))?;
        let judged = value("text", format, &request.text)
            .and_then(|value| policy("text", &request.path, format, &request.text).map(|_| value));
        let (value, problem) = match judged {
            Ok(value) => (value, None),
            Err(problem) => (Bytes::new(), Some(error::to_wire(&problem))),
        };
        Ok(Response::new(wire::LintReply {
            value,
            problem,
            format: to_proto::format(format).into(),
            ..wire::LintReply::default()
        }))
    }

    async fn watch(&self, request: Request<wire::WatchConfigsRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let wire::WatchConfigsRequest { selectors, cursor, state_id } = request.into_inner();
        if selectors.len() > limits::SELECTORS_MAX {
            let (given, limit) = (selectors.len(), limits::SELECTORS_MAX);
            let problem = invalid("selectors", format!("{given} selectors; the limit is {limit}: watch a prefix"));
            return Err(error::status(&problem));
        }
        let state = (state_id != 0).then_some(StateId(state_id));
        let watch = self.watches.configs(selectors, Revision(cursor), state).await;
        let watch = watch.map_err(|problem| error::status(&problem))?;
        let changes = stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) });
        let replies = changes.flat_map(|changed| stream::iter(frames(changed)).map(Ok));
        Ok(Response::new(Box::pin(replies)))
    }

    async fn rollback(&self, _: Request<wire::RollbackRequest>) -> Result<Response<wire::PublishReply>, Status> {
        Err(Status::unimplemented("rollback"))
    }

    async fn effective(&self, _: Request<wire::EffectiveRequest>) -> Result<Response<wire::EffectiveReply>, Status> {
        Err(Status::unimplemented("effective"))
    }

    async fn diff(&self, _: Request<wire::DiffRequest>) -> Result<Response<wire::DiffReply>, Status> {
        Err(Status::unimplemented("diff"))
    }

    async fn merge(&self, _: Request<wire::MergeRequest>) -> Result<Response<wire::MergeReply>, Status> {
        Err(Status::unimplemented("merge"))
    }

    async fn convert(&self, _: Request<wire::ConvertRequest>) -> Result<Response<wire::ConvertReply>, Status> {
        Err(Status::unimplemented("convert"))
    }

    async fn consumers(&self, _: Request<wire::ConsumersRequest>) -> Result<Response<wire::ConsumersReply>, Status> {
        Err(Status::unimplemented("consumers"))
    }

    async fn status(&self, _: Request<wire::ConfigStatusRequest>) -> Result<Response<wire::ConfigStatusReply>, Status> {
        Err(Status::unimplemented("status"))
    }
}

impl ConfigService {
    async fn propose(&self, request: wire::PublishRequest) -> Result<wire::PublishReply, Problem> {
        let text_bytes = request.changes.iter().map(change_bytes).sum();
        // Judged before anything is parsed: parsing costs more than counting.
        let within = |field: &str, actual: usize, limit: usize| match actual > limit {
            true => Err(invalid(field, format!("`{field}` is {actual}; the limit is {limit}"))),
            false => Ok(()),
        };
        within("changes", request.changes.len(), keeper_registry::limits::PUBLISH_DOCUMENTS_MAX)?;
        within("changes.text", text_bytes, keeper_registry::limits::PUBLISH_BYTES_MAX)?;
        let changes = request.changes.into_iter().enumerate().map(|(position, it)| change(position, it));
        let publish = Publish {
            changes: changes.collect::<Result<_, _>>()?,
            author: request.author,
            message: request.message,
            request: from_proto::request_id(&request.request_id)?,
            ..Publish::default()
        };
        let proposal = Proposal::new(Command::Publish(publish), text_bytes * 2 + OVERHEAD_BYTES);
        let Committed { reply, .. } = self.proposer.propose(Lane::Config, proposal).await?;
        let Reply::Published { revision, changed } = reply else {
            return Err(Problem::Unknown { reason: "an answer of another kind" });
        };
        Ok(wire::PublishReply { revision: revision.0, changed, ..wire::PublishReply::default() })
    }
}

fn change_bytes(change: &wire::publish_request::Change) -> usize {
    match &change.action {
        Some(wire::publish_request::change::Action::Put(put)) => put.text.len(),
        Some(wire::publish_request::change::Action::Delete(_)) | None => 0,
    }
}

pub(super) fn change(position: usize, change: wire::publish_request::Change) -> Result<DocumentChange, Problem> {
    use wire::publish_request::change::Action;
    let action = match change.action {
        None => return Err(invalid(format!("changes[{position}].action"), "neither `put` nor `delete` is given")),
        Some(Action::Delete(_)) => DocumentAction::Delete,
        Some(Action::Put(put)) => {
            let format = named_format(put.format, &change.path)?;
            let field = format!("changes[{position}].put.text");
            let value = value(&field, format, &put.text)?;
            let policy = policy(&field, &change.path, format, &put.text)?;
            DocumentAction::Put { format, text: Bytes::from(put.text), value, policy }
        }
    };
    Ok(DocumentChange { path: change.path, expected: change.expected_revision.map(Revision), action })
}

/// The format a caller names, or the one that the path's ending stands for.
fn named_format(number: i32, path: &str) -> Result<Format, Problem> {
    match wire::Format::try_from(number) {
        Ok(wire::Format::Toml) => Ok(Format::Toml),
        Ok(wire::Format::Yaml) => Ok(Format::Yaml),
        Ok(wire::Format::Json) => Ok(Format::Json),
        Ok(wire::Format::Ini) => Ok(Format::Ini),
        Ok(wire::Format::Unspecified) => format::format_of_path(path).ok_or_else(|| {
            let path = excerpt(path);
            invalid("format", format!("`{path}` ends in none of .toml .yaml .yml .json .ini: name the format"))
        }),
        Err(_) => Err(invalid("format", format!("{number} is no format this version knows"))),
    }
}

/// The canonical value of a text.
fn value(field: &str, format: Format, text: &str) -> Result<Bytes, Problem> {
    let parsed = format::parse(format, text).map_err(|error| invalid(field, error.to_string()))?;
    Ok(format::canonical(&parsed))
}

/// What the document that holds the session policy says.
fn policy(field: &str, path: &str, format: Format, text: &str) -> Result<Option<Policy>, Problem> {
    if path != keeper_registry::limits::POLICY_PATH {
        return Ok(None);
    }
    let policy = policy::parse(format, text).map_err(|error| invalid(field, error.to_string()))?;
    Ok(Some(Policy::Sessions(Arc::new(policy))))
}

fn consistency(request: &wire::GetConfigRequest) -> Consistency {
    use wire::get_config_request::Consistency as Asked;
    match request.consistency() {
        Asked::Unspecified | Asked::Linearizable => Consistency::Linearizable,
        Asked::Local => Consistency::Local,
    }
}

/// A change, in frames of bounded size. Each is made when it is sent.
fn frames(changed: ConfigsChanged) -> impl Iterator<Item = wire::ConfigsChanged> + Send {
    let Changed { cursor, state, reset, change } = changed;
    let mut rest = change.into_iter().peekable();
    let mut first = true;
    std::iter::from_fn(move || {
        if !std::mem::take(&mut first) && rest.peek().is_none() {
            return None;
        }
        let (mut bytes, mut documents) = (0, Vec::new());
        while bytes < limits::WATCH_FRAME_BYTES
            && let Some(document) = rest.next()
        {
            bytes += document.text.len() + document.value.len();
            documents.push(to_proto::document(&document, to_proto::Body::Whole));
        }
        let more = rest.peek().is_some();
        Some(wire::ConfigsChanged { cursor: cursor.0, state_id: state.0, reset, documents, more })
    })
}
