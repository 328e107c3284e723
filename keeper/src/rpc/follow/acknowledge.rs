//! What an incarnation makes of what it was given.

use keeper_proto::v1 as wire;
use keeper_proto::v1::acknowledge_request::{Acknowledgement, Health as Said};
use keeper_registry::{Incarnation, Revision};

use super::{FollowService, request};
use crate::acks::{Ack, Health, Message};
use crate::limits::{ACK_REASON_BYTES_MAX, ACKS_MAX};
use crate::metrics::Applied;
use crate::problem::Problem;
use crate::rpc::from_proto::invalid;
use crate::view::Consistency;

impl FollowService {
    pub(super) async fn hear(&self, request: wire::AcknowledgeRequest) -> Result<wire::AcknowledgeReply, Problem> {
        let wire::AcknowledgeRequest { incarnation, state_id, all, documents, health } = request;
        self.proposer.check_leads()?;
        self.view.check_history(state_id).await?;
        let message =
            Message { is_all: all, documents: acknowledged(documents)?, health: health.map(told_health).transpose()? };
        // A process may be told by another node a moment before this one has applied the same.
        let newest = message.documents.iter().map(|(_, ack)| ack.revision).max().unwrap_or_default();
        self.view.wait(Consistency::AtLeast(newest)).await?;
        let (term, failed) = self.acks.hear(Incarnation(incarnation), message)?;
        if !failed.is_empty() {
            self.acks.ended(term, &failed).await?;
        }
        Ok(wire::AcknowledgeReply { term })
    }
}

pub(super) fn acknowledged(documents: Vec<Acknowledgement>) -> Result<Vec<(String, Ack)>, Problem> {
    if documents.len() > ACKS_MAX {
        let message = format!("{} documents; an instance acknowledges at most {ACKS_MAX}", documents.len());
        return Err(invalid("documents", message));
    }
    let mut read: Vec<(String, Ack)> = Vec::with_capacity(documents.len());
    for (place, document) in documents.into_iter().enumerate() {
        let Acknowledgement { path, revision, applied, reason } = document;
        let field = |what: &str| format!("documents[{place}].{what}");
        request::check(|| field("path"), &path)?;
        if read.iter().any(|(known, _)| *known == path) {
            return Err(invalid(field("path"), format!("`{path}` is named twice")));
        }
        check_reason(|| field("reason"), &reason)?;
        let applied = match wire::Applied::try_from(applied) {
            Ok(wire::Applied::Yes) => Applied::Yes,
            Ok(wire::Applied::Refused) => Applied::Refused,
            Ok(wire::Applied::NeedsRestart) => Applied::NeedsRestart,
            Ok(wire::Applied::Unspecified) | Err(_) => {
                let message = format!("{applied} is none of 1 (applied), 2 (refused) and 3 (needs a restart)");
                return Err(invalid(field("applied"), message));
            }
        };
        read.push((path, Ack::new(Revision(revision), applied, &reason)));
    }
    Ok(read)
}

pub(super) fn told_health(health: Said) -> Result<Health, Problem> {
    check_reason(|| "health.reason".to_owned(), &health.reason)?;
    Ok(if health.healthy { Health::Healthy } else { Health::Unwell(health.reason.into()) })
}

fn check_reason(field: impl FnOnce() -> String, reason: &str) -> Result<(), Problem> {
    if reason.len() <= ACK_REASON_BYTES_MAX {
        return Ok(());
    }
    let field = field();
    let message = format!("`{field}` has {} bytes; the limit is {ACK_REASON_BYTES_MAX}", reason.len());
    Err(invalid(field, message))
}
