//! The server side of what nodes say to each other: `keeper.peer.v1.Peer`, served on the Raft runtime.
//!
//! A message that is not for this node, group and cluster is refused before it is looked into. A refusal is an answer
//! of its own kind, not a gRPC error, so that it reaches the log of whoever has the wrong address as one clear
//! sentence.

mod append;
mod call;
mod receive;
mod serve;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::Stream;
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use keeper_proto::peer::peer_server::Peer;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

pub use serve::serve;

use super::entropy::Entropy;
use super::handle::RaftHandle;
use super::home::Home;
use super::identity::Identity;
use super::leadership::Leadership;
use super::offload::Offload;
use super::snapshot_files::SnapshotFiles;
use crate::govern::Guest;
use crate::replica::Replica;

/// Serves the other nodes of the group.
#[derive(Debug, Clone)]
pub struct PeerService {
    pub(super) identity: Arc<Identity>,
    pub(super) handle: RaftHandle,
    pub(super) home: Home,
    pub(super) replica: Arc<Replica>,
    /// It has another number than the one this process runs under.
    pub(super) renamed: Arc<AtomicBool>,
    pub(super) entropy: Arc<Entropy>,
    pub(super) snapshots: Arc<SnapshotFiles>,
    pub(super) offload: Offload,
    /// One incoming snapshot at a time: the leader sends one, and a deposed one may still be sending.
    pub(super) receiving: Arc<Semaphore>,
    /// When a refusal was last logged.
    pub(super) told_at: Arc<Mutex<Option<Instant>>>,
    /// Open for as long as peers are served: that Raft has failed is told by its driver, with the reason, before those
    /// who follow the leadership end for want of one.
    pub(super) _followed: Arc<watch::Sender<Leadership>>,
}

impl PeerService {
    /// Whoever knows this node's disk is a node of the cluster; anybody may ask for it, and is not therefore.
    fn vouch(&self, message: &Envelope, guest: Option<&Guest>) {
        if let Some(guest) = guest.filter(|guest| !guest.connection.is_kept())
            && message.kind() != Kind::Identify
            && self.identity.check(message).is_ok()
        {
            guest.connection.vouch();
        }
    }
}

#[tonic::async_trait]
impl Peer for PeerService {
    type AppendStream = Pin<Box<dyn Stream<Item = Result<Envelope, Status>> + Send>>;

    async fn append(&self, request: Request<Streaming<Envelope>>) -> Result<Response<Self::AppendStream>, Status> {
        let guest = request.extensions().get::<Guest>().cloned();
        Ok(Response::new(self.serve_append(request.into_inner(), guest).await))
    }

    async fn call(&self, request: Request<Envelope>) -> Result<Response<Envelope>, Status> {
        let guest = request.extensions().get::<Guest>().cloned();
        let request = request.into_inner();
        let from = request.from;
        self.vouch(&request, guest.as_ref());
        let answer = self.serve_call(request).await;
        Ok(Response::new(answer.unwrap_or_else(|refusal| self.refuse(from, &refusal))))
    }

    async fn snapshot(&self, request: Request<Streaming<Envelope>>) -> Result<Response<Envelope>, Status> {
        let guest = request.extensions().get::<Guest>().cloned();
        let mut chunks = request.into_inner();
        let Some(header) = chunks.message().await? else {
            return Err(Status::invalid_argument("a snapshot begins with a header"));
        };
        self.vouch(&header, guest.as_ref());
        let from = header.from;
        let answer = self.serve_snapshot(header, chunks).await;
        Ok(Response::new(answer.unwrap_or_else(|refusal| self.refuse(from, &refusal))))
    }
}
