//! `Configs.Status`: who runs with what of a document.

use std::time::Duration;

use keeper_proto::v1 as wire;
use keeper_proto::v1::config_status_reply::{At, Gone as How, Row};
use keeper_registry::{Instance, Revision};

use crate::acks::{Acks, Gone, Leave, Standing, Status, Verdict, Wait};
use crate::clock;
use crate::limits::{STATUS_ROWS_MAX, STATUS_WAIT_MAX};
use crate::problem::Problem;
use crate::propose::Proposer;
use crate::rpc::from_proto::invalid;
use crate::view::{Consistency, View};

/// Rows told to who names no limit.
const ROWS_DEFAULT: usize = 100;

/// The whole, in basis points.
const WHOLE_BPS: u32 = 10_000;

/// What answers it.
#[derive(Debug, Clone)]
pub(crate) struct StatusService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) acks: Acks,
}

impl StatusService {
    /// At once, or when enough readers have spoken.
    pub(crate) async fn status(&self, request: wire::ConfigStatusRequest) -> Result<wire::ConfigStatusReply, Problem> {
        let wire::ConfigStatusRequest { path, limit, wait_share_bps, wait_revision, wait_timeout_ms } = request;
        if let Some((base, layer)) = path.split_once('@') {
            return Err(invalid("path", format!("an instance reads `{base}`; `@{layer}` is a layer of it")));
        }
        if wait_share_bps > WHOLE_BPS {
            let message = format!("`wait_share_bps` is {wait_share_bps}; it lies between 0 and {WHOLE_BPS}");
            return Err(invalid("wait_share_bps", message));
        }
        let timeout = Duration::from_millis(wait_timeout_ms.into());
        if timeout > STATUS_WAIT_MAX {
            let most = STATUS_WAIT_MAX.as_millis();
            let message = format!("`wait_timeout_ms` is {wait_timeout_ms}; it lies between 0 and {most}");
            return Err(invalid("wait_timeout_ms", message));
        }
        let limit = match usize::try_from(limit).unwrap_or(usize::MAX) {
            0 => ROWS_DEFAULT,
            limit => limit.min(STATUS_ROWS_MAX),
        };
        let until = clock::now() + timeout;
        self.proposer.check_leads()?;
        // One that was deposed and does not know it has heard nobody for a while, and would say so.
        self.view.wait(Consistency::Linearizable).await?;
        let status = match wait_share_bps {
            0 => self.acks.status(&path)?,
            share_bps => {
                let revision = Revision(wait_revision);
                self.acks.wait(&path, Wait { share_bps, revision, until }).await?
            }
        };
        Ok(reply(status, limit))
    }
}

fn reply(status: Status, limit: usize) -> wire::ConfigStatusReply {
    let Status { revision, listening_since_ms, count, revisions, standings, gone, reached } = status;
    let at = |(revision, instances): (Revision, usize)| At { revision: revision.0, instances: number(instances) };
    let missing = gone.iter().filter(|it| it.is_missing()).count();
    wire::ConfigStatusReply {
        revision: revision.0,
        listening_since_ms,
        readers: number(count.all()),
        applied: number(count.applied),
        refused: number(count.refused),
        needs_restart: number(count.needs_restart),
        waiting: number(count.waiting),
        revisions: revisions.into_iter().rev().map(at).collect(),
        gone: number(missing),
        closed: number(gone.len() - missing),
        reached: number(reached),
        rows: gone.into_iter().map(row_of_gone).chain(standings.into_iter().map(row)).take(limit).collect(),
    }
}

/// What it says of what it is to run with; what it said of something else is not shown as if it were that.
fn row(standing: Standing) -> Row {
    let running_revision = standing.running().0;
    let Standing { instance, wanted, rollout, said, verdict, .. } = standing;
    let (revision, reason) = match said {
        Some(ack) if verdict == Verdict::Waiting => (ack.revision, "".into()),
        // What it said of the revision before stands for this one: they are the same document.
        Some(ack) => (ack.revision.max(wanted), ack.reason),
        None => (Revision::default(), "".into()),
    };
    let applied = match verdict {
        Verdict::Waiting => wire::Applied::Unspecified,
        Verdict::Applied => wire::Applied::Yes,
        Verdict::NeedsRestart => wire::Applied::NeedsRestart,
        Verdict::Refused => wire::Applied::Refused,
    };
    Row {
        wanted_revision: wanted.0,
        revision: revision.0,
        running_revision,
        applied: applied.into(),
        reason: reason.to_string(),
        rollout: rollout.unwrap_or_default(),
        ..named(&instance)
    }
}

fn row_of_gone(gone: Gone) -> Row {
    let Gone { instance, refusal, how } = gone;
    let how = match how {
        Leave::Expired => How::Expired,
        Leave::Replaced => How::Replaced,
        Leave::Closed => How::Closed,
    };
    let applied = refusal.as_ref().map_or(wire::Applied::Unspecified, |_| wire::Applied::Refused);
    Row {
        revision: refusal.as_ref().map_or(0, |ack| ack.revision.0),
        applied: applied.into(),
        reason: refusal.map(|ack| ack.reason.to_string()).unwrap_or_default(),
        gone: how.into(),
        ..named(&instance)
    }
}

fn named(instance: &Instance) -> Row {
    Row {
        service: instance.service.to_string(),
        id: instance.id.to_string(),
        incarnation: instance.incarnation.0,
        version: instance.version.clone(),
        ..Row::default()
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
