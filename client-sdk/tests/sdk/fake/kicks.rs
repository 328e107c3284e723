//! Kicks: of a user at once, of all that match by a job that takes a few looks to end.

use keeper_proto::v1::{KickReply, KickRequest, KickStatus, kick_status};
use tonic::{Response, Status};

use super::{Node, refused, status};

/// Looks before a kick is finished, and once more before its gateway has confirmed it.
const LOOKS: u32 = 2;

impl Node {
    pub(crate) fn begin_kick(&self, request: KickRequest) -> Response<KickReply> {
        let kick = self.state.change(|book| {
            book.revision += 1;
            book.kicks.insert(book.revision, (request, 0));
            book.revision
        });
        Response::new(KickReply { revision: kick, kicked: Vec::new(), kick })
    }

    pub(crate) fn look_at_kick(&self, kick: u64) -> Result<Response<KickStatus>, Status> {
        let looked = self.state.change(|book| {
            let (request, looks) = book.kicks.get_mut(&kick)?;
            *looks += 1;
            Some((request.clone(), *looks))
        });
        let (request, looks) = looked.ok_or_else(|| status(&refused("no-such-kick")))?;
        let confirmation = match looks > LOOKS {
            true => kick_status::Confirmation::Confirmed,
            false => kick_status::Confirmation::Waiting,
        };
        let gateway = kick_status::Gateway { closed: 3, confirmation: confirmation.into(), ..Default::default() };
        Ok(Response::new(KickStatus {
            kick,
            selector: request.selector,
            user: request.user,
            reason: request.reason,
            started_at_ms: 100,
            finished_at_ms: if looks < LOOKS { 0 } else { 350 },
            closed: 3,
            gateways: vec![gateway],
            ..KickStatus::default()
        }))
    }
}
