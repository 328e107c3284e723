//! How far the registry is in being filled again, and the way to stop waiting.

use keeper_proto::v1 as wire;
use keeper_registry::{Command, GiveUp, Reply, limits};
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
        Ok(self.view.read(|state| wire::RebuildStatusReply {
            rebuild: to_proto::rebuild(state),
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
        let command =
            Command::GiveUp(GiveUp { instances: instances.collect::<Result<_, _>>()?, author: request.author });
        let Committed { revision, reply } = self.proposer.propose(Lane::Config, Proposal::new(command, bytes)).await?;
        let Reply::GivenUp = reply else { return Err(another_kind()) };
        Ok(wire::GiveUpReply { revision: revision.0 })
    }
}
