//! One question, one answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use keeper_registry::Level;

use super::PeerService;
use crate::raft::contact::Quorum;
use crate::raft::encode;
use crate::raft::identity::Refusal;
use crate::raft::introduction::Introduction;
use crate::raft::members::decode_adoption;
use crate::raft::read_rounds::Want;
use crate::raft::vitals::Question;

impl PeerService {
    pub(super) async fn serve_call(&self, request: Envelope) -> Result<Envelope, Refusal> {
        // Whoever asks who this is may be of any release.
        if request.kind() == Kind::Identify {
            self.identity.check(&request)?;
        } else {
            self.check(&request)?;
            self.check_alone()?;
        }
        self.check_running()?;
        if self.renamed.load(Ordering::Acquire) {
            return Err(Refusal::Renumbering);
        }
        let (from, kind) = (request.from, request.kind());
        let body = match kind {
            Kind::Vote => self.vote(request.body).await?,
            Kind::PreVote => self.pre_vote(request.body).await?,
            Kind::TransferLeader => self.transfer_leader(request.body).await?,
            Kind::ReadIndex => self.read_index().await?,
            Kind::Identify => self.identify().await?,
            Kind::Adopt => self.adopt(request.body).await?,
            Kind::Vitals => self.vitals(&request)?,
            Kind::Membership => self.membership().await?,
            Kind::Unspecified | Kind::Append | Kind::SnapshotHeader | Kind::SnapshotChunk | Kind::Problem => {
                return Err(Refusal::WrongKind { found: request.kind, expected: "a call" });
            }
        };
        let process = if kind == Kind::Identify { self.handle.own_address.process() } else { 0 };
        Ok(Envelope { process, ..self.identity.answer(from, kind, body) })
    }

    async fn identify(&self) -> Result<Bytes, Refusal> {
        let initialized = self.handle.is_initialized().await.map_err(unavailable)?;
        let introduction = Introduction {
            disk_id: self.identity.disk_id,
            initialized,
            node: self.identity.node,
            state: self.replica.read(|state| state.state_id()).unwrap_or_default().0,
            lost: self.home.lost || (!initialized && self.handle.is_expected()),
            peer_endpoint: self.home.advertised.peer_endpoint.clone(),
            client_endpoint: self.home.advertised.client_endpoint.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok(introduction.encode())
    }

    /// Takes a number, once. From the first look at the log to the restart under the new name nothing else is served:
    /// neither a founding nor a vote may come between.
    async fn adopt(&self, body: Bytes) -> Result<Bytes, Refusal> {
        let number = decode_adoption(body).map_err(|source| Refusal::Malformed { what: "adoption", source })?;
        if self.renamed.swap(true, Ordering::AcqRel) {
            return Err(unavailable("this node is being given a number already"));
        }
        let stored = self.store_number(number).await;
        if stored.is_err() {
            self.renamed.store(false, Ordering::Release);
        }
        stored.map(|()| Bytes::new())
    }

    async fn store_number(&self, number: u64) -> Result<(), Refusal> {
        if self.handle.is_initialized().await.map_err(unavailable)? {
            return Err(Refusal::Taken { node: self.identity.node });
        }
        let keep = Arc::clone(&self.home.keep_number);
        self.offload.short(move || keep(number)).await.map_err(unavailable)?;
        tracing::info!(number, "taken into the cluster; starting anew under this number");
        Ok(())
    }

    fn vitals(&self, request: &Envelope) -> Result<Bytes, Refusal> {
        let body = request.body.clone();
        let question = Question::decode(body).map_err(|source| Refusal::Malformed { what: "vitals", source })?;
        self.handle.removal.counted();
        let quorum = if request.quorum_lost { Quorum::Lost } else { Quorum::Answers };
        self.handle.contact.told(request.from, quorum);
        Ok(self.handle.vitals.answer(question).encode())
    }

    /// Also one that was removed answers: what it knows to be committed is. Whoever asks may be of any release and at
    /// any level, so it is told in the first form, whatever the level here.
    async fn membership(&self) -> Result<Bytes, Refusal> {
        let known = self.handle.committed_membership().await.map_err(unavailable)?;
        Ok(encode::snapshot_meta(&known, Level::FIRST))
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
