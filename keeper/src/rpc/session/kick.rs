//! Kicks: of a user at once, of everything that matches as a job; and what came of them.

use keeper_proto::v1 as wire;
use keeper_registry::{Command, Kick, KickTarget, Rejection, Reply, SessionSelector, limits};
use prost::Message;

use super::{OVERHEAD_BYTES, SessionService, another_kind};
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal};
use crate::rpc::from_proto::{self, invalid};
use crate::rpc::to_proto;
use crate::view::Consistency;

impl SessionService {
    pub(super) async fn end(&self, request: wire::KickRequest) -> Result<wire::KickReply, Problem> {
        let bytes = request.encoded_len() + OVERHEAD_BYTES;
        let target = target(request.user, request.slot, request.selector)?;
        let command = Command::Kick(Kick {
            request: from_proto::request_id(&request.request_id)?,
            target: target.clone(),
            reason: request.reason,
            author: request.author,
        });
        let proposed = self.proposer.propose(Lane::Config, Proposal::new(command, bytes)).await;
        let Committed { revision, reply } = proposed.map_err(|problem| {
            let is_nobody = matches!(problem, Problem::Rejected(Rejection::NotFound { .. }));
            if is_nobody { nobody(&target) } else { problem }
        })?;
        let Reply::Kicked { job, kicked } = reply else { return Err(another_kind()) };
        let kicked = kicked.iter().map(|kicked| wire::kick_reply::Kicked {
            key: Some(to_proto::session_key(&kicked.key)),
            holder: Some(to_proto::holder(&kicked.holder)),
        });
        Ok(wire::KickReply { revision: revision.0, kicked: kicked.collect(), kick: job })
    }

    pub(super) async fn kick_status(&self, request: &wire::GetKickRequest) -> Result<wire::KickStatus, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let status = self.view.read(|state| state.kick_job(request.kick).map(|job| to_proto::kick_status(state, job)));
        status.ok_or_else(|| {
            let (kick, kept) = (request.kick, limits::KICKS_KEPT);
            let message = format!("there is no kick {kick}, or it was forgotten: the last {kept} are remembered");
            Problem::Absent { field: "kick".to_owned(), message }
        })
    }

    pub(super) async fn kicks(&self) -> Result<wire::ListKicksReply, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let kicks = self.view.read(|state| state.kick_jobs().map(|job| to_proto::kick_status(state, job)).collect());
        Ok(wire::ListKicksReply { kicks })
    }
}

/// There was nobody to end.
fn nobody(target: &KickTarget) -> Problem {
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (field, message) = match target {
        KickTarget::User { user, slot: None } => ("user", format!("user `{}` has no live session", name(user))),
        KickTarget::User { user, slot: Some(slot) } => {
            ("slot", format!("user `{}` has no live session in slot `{}`", name(user), name(slot)))
        }
        KickTarget::Matching(SessionSelector { instance: Some((service, id)), .. }) => {
            ("selector.instance", format!("no instance `{service}/{id}` is open"))
        }
        KickTarget::Matching(SessionSelector { instance: None, .. }) => {
            ("selector", "no session matches `selector`".to_owned())
        }
    };
    Problem::Absent { field: field.to_owned(), message: format!("{message}: nobody was kicked") }
}

/// Whom a kick is about: exactly one of a user and a selector that says something.
pub(super) fn target(
    user: bytes::Bytes,
    slot: Option<bytes::Bytes>,
    selector: Option<wire::SessionSelector>,
) -> Result<KickTarget, Problem> {
    let Some(selector) = selector else {
        from_proto::check_user(|| "user".to_owned(), &user)?;
        return Ok(KickTarget::User { user, slot });
    };
    if !user.is_empty() {
        return Err(invalid("selector", "both `user` and `selector` are given: name one of them"));
    }
    if slot.is_some() {
        return Err(invalid("slot", "`slot` goes with `user`; with a selector it is `selector.slot`"));
    }
    let selector = from_proto::selector(Some(selector))?;
    if selector == SessionSelector::default() {
        return Err(invalid("selector", "`selector` is empty and would end every session: set at least one field"));
    }
    Ok(KickTarget::Matching(selector))
}
