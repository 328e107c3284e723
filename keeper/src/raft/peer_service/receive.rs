//! Receives a snapshot: into a temporary file, then verified and thawed whole, and only then shown to Raft. Installing
//! it is a swap of pointers; a transfer that ends early or is damaged leaves nothing behind.

use std::io;

use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use openraft::alias::{SnapshotMetaOf, SnapshotOf};
use tokio::time::timeout;
use tonic::Streaming;

use super::PeerService;
use super::call::unavailable;
use crate::raft::encode;
use crate::raft::identity::Refusal;
use crate::raft::limits::SNAPSHOT_SILENCE_MAX;
use crate::raft::snapshot_data::{self, Received, SnapshotData, sentence};
use crate::raft::snapshot_files::SnapshotFiles;
use crate::raft::type_config::TypeConfig;
use crate::store::snapshot::SnapshotReceiver;

impl PeerService {
    pub(super) async fn serve_snapshot(
        &self,
        header: Envelope,
        chunks: Streaming<Envelope>,
    ) -> Result<Envelope, Refusal> {
        let from = header.from;
        self.check_alone()?;
        let body = self.accept(header, Kind::SnapshotHeader, "the header of a snapshot")?;
        let vote =
            encode::decode_vote(body).map_err(|source| Refusal::Malformed { what: "snapshot header", source })?;
        let _turn = self.receiving.try_acquire().map_err(|_| unavailable("another snapshot is being received"))?;
        let receiver = self.receive(chunks).await?;
        let files = self.snapshots.clone();
        let (meta, received) = self.offload.short(move || thaw(&files, receiver)).await.map_err(unavailable)?;
        tracing::info!(from, bytes = received.file.size_bytes(), %meta, "received a snapshot");
        self.handle.history.check(&self.handle.raft, meta.last_log_id.into_iter()).map_err(unavailable)?;
        let snapshot = SnapshotData::Received(Box::new(received));
        let snapshot = SnapshotOf::<TypeConfig, SnapshotData> { meta, snapshot };
        let response = self.handle.raft.install_full_snapshot(vote, snapshot).await.map_err(unavailable)?;
        Ok(self.identity.answer(from, Kind::SnapshotHeader, encode::vote(&response.vote)))
    }

    async fn receive(&self, mut chunks: Streaming<Envelope>) -> Result<SnapshotReceiver, Refusal> {
        let files = self.snapshots.clone();
        let mut incoming = self.offload.short(move || files.receive()).await.map_err(unavailable)?;
        loop {
            let next = timeout(SNAPSHOT_SILENCE_MAX, chunks.message());
            let next = next.await.map_err(|_| unavailable("no chunk of the snapshot came for too long"))?;
            let Some(chunk) = next.map_err(unavailable)? else { break };
            let chunk = self.accept(chunk, Kind::SnapshotChunk, "a chunk of a snapshot")?;
            if !self.handle.vitals.spares_log() {
                return Err(unavailable("the disk of this node has no room for the snapshot: make room there"));
            }
            let written = self.offload.short(move || incoming.write(&chunk).map(|()| incoming).map_err(sentence));
            incoming = written.await.map_err(unavailable)?;
        }
        Ok(incoming)
    }
}

fn thaw(files: &SnapshotFiles, mut receiver: SnapshotReceiver) -> io::Result<(SnapshotMetaOf<TypeConfig>, Received)> {
    let file = receiver.read_back().map_err(sentence)?;
    let meta = snapshot_data::meta(&file)?;
    let state = files.thaw(&file)?;
    Ok((meta, Received { state, file, receiver }))
}
