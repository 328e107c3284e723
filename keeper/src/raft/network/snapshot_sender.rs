//! Sends a snapshot file to a peer.
//!
//! The file's own framing carries its checksums and what it covers; the peer verifies all of it before it installs.
//! There is a limit on silence, none on the whole: a transfer that moves goes on. The peer may answer early, to refuse.

use std::pin::pin;

use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use openraft::StorageError;
use openraft::alias::{ErrorSourceOf, SnapshotOf, VoteOf};
use openraft::errors::{ErrorSource, StreamingError};
use openraft::raft::SnapshotResponse;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::peers::{CallError, Peer};
use super::rpc_error;
use crate::raft::encode;
use crate::raft::limits::{SNAPSHOT_CHUNK_BYTES, SNAPSHOT_CHUNKS_AHEAD, SNAPSHOT_INSTALL_MAX, SNAPSHOT_SILENCE_MAX};
use crate::raft::offload::Offload;
use crate::raft::snapshot_data::{SnapshotData, sentence};
use crate::raft::type_config::TypeConfig;
use crate::store::snapshot::SnapshotFile;

pub(super) async fn send(
    peer: &Peer,
    offload: Offload,
    vote: VoteOf<TypeConfig>,
    snapshot: SnapshotOf<TypeConfig, SnapshotData>,
) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
    let (chunks, outgoing) = mpsc::channel(SNAPSHOT_CHUNKS_AHEAD);
    let mut client = peer.client();
    let mut answering = pin!(client.snapshot(ReceiverStream::new(outgoing)));
    let header = peer.envelope(Kind::SnapshotHeader, encode::vote(&vote));
    let early = tokio::select! {
        biased;
        answer = &mut answering => Some(answer),
        fed = feed(peer, offload, chunks, header, snapshot.snapshot.file().clone()) => {
            fed?;
            None
        }
    };
    let answer = match early {
        Some(answer) => answer,
        None => {
            timeout(SNAPSHOT_INSTALL_MAX, answering).await.map_err(|_| failed(peer.silent(SNAPSHOT_INSTALL_MAX)))?
        }
    };
    let answer = answer.map_err(|status| failed(peer.unreachable(status)))?.into_inner();
    let body = peer.open(answer, Kind::SnapshotHeader).map_err(failed)?;
    let vote = encode::decode_vote(body).map_err(|source| failed(peer.malformed(source)))?;
    Ok(SnapshotResponse::new(vote))
}

/// Hands over the file, chunk by chunk, as the connection takes it.
async fn feed(
    peer: &Peer,
    offload: Offload,
    chunks: mpsc::Sender<Envelope>,
    header: Envelope,
    file: SnapshotFile,
) -> Result<(), StreamingError<TypeConfig>> {
    let mut next = header;
    let mut at = 0;
    loop {
        match timeout(SNAPSHOT_SILENCE_MAX, chunks.send(next)).await {
            Ok(Ok(())) => {}
            // The peer wants no more; its answer says why.
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(failed(peer.silent(SNAPSHOT_SILENCE_MAX))),
        }
        let file = file.clone();
        let read = offload.short(move || file.read_raw(at, SNAPSHOT_CHUNK_BYTES).map_err(sentence)).await;
        let chunk = read.map_err(|error| {
            let source = ErrorSourceOf::<TypeConfig>::from_error(&error);
            StorageError::read_snapshot(None, source)
        })?;
        if chunk.is_empty() {
            return Ok(());
        }
        at += chunk.len() as u64;
        next = peer.envelope(Kind::SnapshotChunk, chunk);
    }
}

fn failed(error: CallError) -> StreamingError<TypeConfig> {
    rpc_error(error).into()
}
