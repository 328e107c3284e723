//! How far the registry is in being filled again, and the way to stop waiting.

use keeper_proto::v1 as wire;
use keeper_registry::{Command, GiveUp, Rejection, Reply, State, limits};
use prost::Message;

use super::{OVERHEAD_BYTES, SessionService, another_kind};
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal};
use crate::rpc::from_proto::{self, invalid};
use crate::rpc::to_proto;
use crate::view::Consistency;

impl SessionService {
    pub(super) async fn rebuild(&self) -> Result<wire::RebuildStatusReply, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let now = self.view.log_time();
        Ok(self.view.read(|state| wire::RebuildStatusReply {
            rebuild: to_proto::rebuild(state, now),
            revision: state.revision().0,
            state_id: state.state_id().unwrap_or_default().0,
        }))
    }

    pub(super) async fn stop_waiting(&self, request: wire::GiveUpRequest) -> Result<wire::GiveUpReply, Problem> {
        let (named, limit) = (request.instances.len(), limits::GIVE_UP_MAX);
        if named > limit {
            return Err(invalid("instances", format!("{named} instances; the limit is {limit}")));
        }
        let bytes = request.encoded_len() + OVERHEAD_BYTES;
        let names = request.instances.iter().enumerate();
        let instances = names.map(|(place, name)| from_proto::instance_name(&format!("instances[{place}]"), name));
        let instances: Vec<_> = instances.collect::<Result<_, _>>()?;
        let command = Command::GiveUp(GiveUp { instances: instances.clone(), author: request.author });
        let proposed = self.proposer.propose(Lane::Config, Proposal::new(command, bytes)).await;
        let Committed { revision, reply } = proposed.map_err(|problem| {
            let is_unknown = matches!(problem, Problem::Rejected(Rejection::NotFound { .. }));
            if is_unknown { self.view.read(|state| not_awaited(state, &instances)) } else { problem }
        })?;
        let Reply::GivenUp = reply else { return Err(another_kind()) };
        Ok(wire::GiveUpReply { revision: revision.0 })
    }
}

/// Which of those that were to be given up nobody waits for.
fn not_awaited(state: &State, named: &[(String, String)]) -> Problem {
    let absent = |field: &str, message| Problem::Absent { field: field.to_owned(), message };
    let Some(rebuild) = state.rebuild() else {
        return absent("", "the registry is whole: no gateway is waited for".to_owned());
    };
    let is_awaited = |(service, id): &&(String, String)| {
        rebuild.gateways().any(|gateway| *gateway.service == **service && *gateway.id == **id)
    };
    let unknown = named.iter().filter(|name| !is_awaited(name));
    let unknown: Vec<_> = unknown.map(|(service, id)| format!("`{service}/{id}`")).collect();
    if unknown.is_empty() {
        // They have come since.
        return Rejection::NotFound { what: "gateway" }.into();
    }
    let message = format!("nobody waits for {}, and none of those named was given up", unknown.join(", "));
    absent("instances", message)
}
