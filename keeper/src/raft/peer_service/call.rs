//! One question, one answer.

use bytes::Bytes;
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;

use super::PeerService;
use crate::raft::encode;
use crate::raft::identity::{Introduction, Refusal};
use crate::raft::read_rounds::Want;

impl PeerService {
    pub(super) async fn serve_call(&self, request: Envelope) -> Result<Envelope, Refusal> {
        self.identity.check(&request)?;
        let (from, kind) = (request.from, request.kind());
        let body = match kind {
            Kind::Vote => self.vote(request.body).await?,
            Kind::PreVote => self.pre_vote(request.body).await?,
            Kind::TransferLeader => self.transfer_leader(request.body).await?,
            Kind::ReadIndex => self.read_index().await?,
            Kind::Identify => self.identify().await?,
            Kind::Unspecified | Kind::Append | Kind::SnapshotHeader | Kind::SnapshotChunk | Kind::Problem => {
                return Err(Refusal::WrongKind { found: request.kind, expected: "a call" });
            }
        };
        Ok(self.identity.answer(from, kind, body))
    }

    async fn identify(&self) -> Result<Bytes, Refusal> {
        let initialized = self.handle.is_initialized().await.map_err(unavailable)?;
        Ok(Introduction { disk_id: self.identity.disk_id, initialized }.encode())
    }

    async fn vote(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let request =
            encode::decode_vote_request(body).map_err(|source| Refusal::Malformed { what: "vote", source })?;
        let response = self.handle.raft.vote(request).await.map_err(unavailable)?;
        Ok(encode::vote_response(&response))
    }

    async fn pre_vote(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let request =
            encode::decode_vote_request(body).map_err(|source| Refusal::Malformed { what: "pre-vote", source })?;
        let response = self.handle.raft.pre_vote(request).await.map_err(unavailable)?;
        Ok(encode::vote_response(&response))
    }

    async fn transfer_leader(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let request = encode::decode_transfer_leader_request(body)
            .map_err(|source| Refusal::Malformed { what: "leader transfer", source })?;
        let response = self.handle.raft.handle_transfer_leader(request).await.map_err(unavailable)?;
        Ok(encode::transfer_leader_response(&response))
    }

    /// A follower's reads join this leader's own next round; the follower waits for its own state.
    async fn read_index(&self) -> Result<Bytes, Refusal> {
        Ok(self.handle.reads.confirm(Want::Leader).await.map_err(unavailable)?.encode())
    }
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> Refusal {
    Refusal::Unavailable { what: error.to_string() }
}
