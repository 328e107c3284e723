//! What openraft says to one peer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use keeper_proto::peer::envelope::Kind;
use openraft::OptionalSend;
use openraft::RaftNetworkV2;
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use tokio::sync::Semaphore;

use super::acknowledged::Acknowledged;
use super::append_stream::AppendStream;
use super::lane::Lane;
use super::peers::{Class, Peer};
use super::rpc_error;
use super::snapshot_sender;
use super::witness::Witness;
use crate::codec::DecodeError;
use crate::raft::encode;
use crate::raft::limits::{OPEN_BACKOFF_MAX, OPEN_BACKOFF_MIN};
use crate::raft::offload::Offload;
use crate::raft::snapshot_data::SnapshotData;
use crate::raft::type_config::TypeConfig;

type AppendResults<'s> = BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RPCError<TypeConfig>>>;

/// One peer, for one of openraft's purposes.
#[derive(Debug)]
pub(in crate::raft) struct PeerNetwork {
    peer: Peer,
    class: Class,
    acknowledged: Arc<Acknowledged>,
    lane: Option<Lane>,
    offload: Offload,
    sending: Arc<Semaphore>,
    /// How long to wait before the next try to open a lane: openraft's own back-off lies in the requests, which nobody
    /// reads before there is a lane.
    backoff: Duration,
}

impl PeerNetwork {
    pub(super) const fn new(
        peer: Peer,
        class: Class,
        acknowledged: Arc<Acknowledged>,
        offload: Offload,
        sending: Arc<Semaphore>,
    ) -> Self {
        Self { peer, class, acknowledged, lane: None, offload, sending, backoff: OPEN_BACKOFF_MIN }
    }

    async fn call<T>(
        &self,
        kind: Kind,
        body: Bytes,
        option: RPCOption,
        decode: impl FnOnce(Bytes) -> Result<T, DecodeError>,
    ) -> Result<T, RPCError<TypeConfig>> {
        let answer = self.peer.call(kind, body, option.soft_ttl()).await.map_err(rpc_error)?;
        decode(answer).map_err(|source| rpc_error(self.peer.malformed(source)))
    }

    async fn dial(&mut self) -> Result<Lane, RPCError<TypeConfig>> {
        match Lane::open(&self.peer).await {
            Ok(lane) => {
                self.backoff = OPEN_BACKOFF_MIN;
                Ok(lane)
            }
            Err(error) => {
                tracing::debug!(%error, "no lane to a peer");
                tokio::time::sleep(self.backoff).await;
                self.backoff = (self.backoff * 2).min(OPEN_BACKOFF_MAX);
                Err(rpc_error(error))
            }
        }
    }

    async fn open<S>(&mut self, input: S) -> Result<AppendResults<'_>, RPCError<TypeConfig>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let reusable = self.lane.take().and_then(|mut lane| lane.is_reusable().then_some(lane));
        let lane = match reusable {
            Some(lane) => lane,
            None => self.dial().await?,
        };
        let lane = self.lane.insert(lane);
        let witness = Witness::new(&self.peer, self.class, &self.acknowledged);
        Ok(AppendStream::new(witness, lane, input).boxed())
    }
}

impl RaftNetworkV2<TypeConfig> for PeerNetwork {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RPCError<TypeConfig>> {
        let input = futures_util::stream::iter([rpc]);
        let mut results = self.stream_append(input, option).await?;
        match results.next().await {
            Some(result) => Ok(result?.into()),
            None => Err(RPCError::Network(NetworkError::from_string("the append stream ended without an answer"))),
        }
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<AppendResults<'s>, RPCError<TypeConfig>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        self.open(input).boxed()
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call(Kind::Vote, encode::vote_request(&rpc), option, encode::decode_vote_response).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RPCError<TypeConfig>> {
        self.call(Kind::PreVote, encode::vote_request(&rpc), option, encode::decode_vote_response).await
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RPCError<TypeConfig>> {
        let body = encode::transfer_leader_request(&req);
        self.call(Kind::TransferLeader, body, option, encode::decode_transfer_leader_response).await
    }

    async fn full_snapshot(
        &mut self,
        vote: VoteOf<TypeConfig>,
        snapshot: SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let sending = async {
            // Never closed.
            let _turn = self.sending.acquire().await;
            let covered = snapshot.meta.last_log_id;
            let answer = snapshot_sender::send(&self.peer, self.offload, vote, snapshot).await?;
            if let Some(covered) = covered.filter(|_| answer.vote == vote) {
                self.acknowledged.note(vote.leader_id, self.peer.directory(), covered);
            }
            Ok(answer)
        };
        tokio::select! {
            closed = cancel => Err(closed.into()),
            sent = sending => sent,
        }
    }
}
