//! Changes of the membership: parsed, performed while the client reads, told step by step.

use futures_util::future::ready;
use futures_util::stream::{self, PollNext, select_with_strategy};
use futures_util::{FutureExt as _, StreamExt as _};
use keeper_proto::v1 as wire;
use keeper_proto::v1::change_membership_reply::Step;
use keeper_proto::v1::change_membership_request::Change as Asked;
use tokio_stream::wrappers::ReceiverStream;

use crate::members::{Change, Changed, Members, Progress, Rank, Tell};
use crate::problem::{Problem, excerpt};
use crate::rpc::from_proto::invalid;
use crate::rpc::{ReplyStream, error};

/// A host name, a colon and a port fit; nothing else has to.
const ENDPOINT_BYTES_MAX: usize = 262;

pub(super) fn change(request: wire::ChangeMembershipRequest) -> Result<Change, Problem> {
    Ok(match request.change.ok_or_else(|| invalid("change", "it is missing".to_owned()))? {
        Asked::Add(wire::AddMember { peer_endpoint, learner }) => {
            let rank = if learner { Rank::Learner } else { Rank::Voter };
            Change::Add { peer_endpoint: endpoint("add.peer_endpoint", peer_endpoint)?, rank }
        }
        Asked::Promote(node) => Change::Promote(number("promote", node)?),
        Asked::Demote(node) => Change::Demote(number("demote", node)?),
        Asked::Remove(node) => Change::Remove(number("remove", node)?),
        Asked::Replace(wire::ReplaceMember { node_id, peer_endpoint }) => Change::Replace {
            old: number("replace.node_id", node_id)?,
            peer_endpoint: endpoint("replace.peer_endpoint", peer_endpoint)?,
        },
        Asked::Transfer(wire::TransferLeader { node_id }) => Change::Transfer((node_id != 0).then_some(node_id)),
    })
}

/// What is told of it, while it is done.
pub(super) fn perform(members: Members, change: Change) -> ReplyStream<wire::ChangeMembershipReply> {
    let (tell, reports) = Tell::channel();
    let performed = async move { members.change(change, &tell).await }.into_stream();
    let told = ReceiverStream::new(reports).map(|progress| Ok(step(told(progress))));
    let done = performed.map(|done| match done {
        Ok(changed) => Ok(step(Step::Changed(report(changed)))),
        Err(problem) => Err(error::status(&problem)),
    });
    // What was told comes before the end, and nothing after it.
    let both = select_with_strategy(told, done, |(): &mut ()| PollNext::Left);
    let ended = |ended: &mut bool, reply: Result<wire::ChangeMembershipReply, tonic::Status>| {
        if *ended {
            return ready(None);
        }
        let step = reply.as_ref().map(|reply| reply.step.as_ref());
        *ended = !matches!(step, Ok(Some(step)) if !matches!(step, Step::Changed(_)));
        ready(Some(reply))
    };
    stream::StreamExt::scan(both, false, ended).boxed()
}

const fn step(step: Step) -> wire::ChangeMembershipReply {
    wire::ChangeMembershipReply { step: Some(step) }
}

const fn told(progress: Progress) -> Step {
    match progress {
        Progress::Numbered(node) => Step::Numbered(node),
        Progress::Joined(node) => Step::Joined(node),
        Progress::CatchingUp { node, has, wanted } => Step::CatchingUp(wire::CatchingUp { node_id: node, has, wanted }),
        Progress::HandingOver(node) => Step::HandingOver(node),
    }
}

const fn report(changed: Changed) -> wire::MembershipChanged {
    let Changed { node, unchanged, pause_ms } = changed;
    wire::MembershipChanged { node_id: node, unchanged, pause_ms }
}

fn number(field: &'static str, node: u64) -> Result<u64, Problem> {
    if node == 0 { Err(invalid(field, "node numbers begin at 1".to_owned())) } else { Ok(node) }
}

fn endpoint(field: &'static str, endpoint: String) -> Result<String, Problem> {
    let sound = endpoint.len() <= ENDPOINT_BYTES_MAX
        && endpoint.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
    if sound {
        return Ok(endpoint);
    }
    let right = "it must be host:port of the peer listener, without a scheme, for example \"node4.example:7401\"";
    Err(invalid(field, format!("{:?}: {right}", excerpt(&endpoint))))
}
