//! The one who takes backups, one after the other.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::file::front;
use super::handle::{Ask, Part};
use super::head::Head;
use super::limits::{PIECE_BYTES, READER_SILENCE_MAX};
use crate::clock::WallClock;
use crate::problem::Problem;
use crate::raft::{RaftHandle, SnapshotCopy, SnapshotRefused};
use crate::replica::Replica;
use crate::view::{Consistency, View};

/// What is backed up.
#[derive(Debug)]
pub struct Source {
    /// The cluster's name.
    pub cluster: String,
    /// This node.
    pub node: u64,
    /// Its state.
    pub replica: Arc<Replica>,
    /// Its part in the group.
    pub raft: RaftHandle,
    /// When it is taken.
    pub wall: WallClock,
}

/// Runs for a [`Backups`](super::Backups).
#[derive(Debug)]
pub struct Worker {
    source: Source,
    view: View,
    asked: mpsc::Receiver<Ask>,
}

impl Worker {
    pub(super) fn new(source: Source, asked: mpsc::Receiver<Ask>) -> Self {
        let view = View::new(Arc::clone(&source.replica), source.raft.clone());
        Self { source, view, asked }
    }

    /// Takes backups until `stop` resolves.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let ask = tokio::select! {
                () = &mut stop => return,
                ask = self.asked.recv() => ask,
            };
            // The handle outlives everything that can ask.
            let Some(Ask { consistency, parts, cut_off, turn }) = ask else { return };
            let ended = tokio::select! {
                () = &mut stop => Err(Problem::Stopping),
                // Nobody wants it any more.
                () = parts.closed() => Ok(()),
                ended = self.take(consistency, &parts) => ended,
            };
            if let Err(problem) = ended {
                tracing::warn!(%problem, "a backup was cut off");
                // Nobody is told who has gone.
                drop(cut_off.send(problem));
            }
            drop(turn);
        }
    }

    async fn take(&self, consistency: Consistency, parts: &mpsc::Sender<Part>) -> Result<(), Problem> {
        self.view.wait(consistency).await?;
        let revision = self.source.replica.applied();
        if self.source.replica.read(|state| state.state_id().is_none()) {
            return Err(Problem::Uninitialized);
        }
        let snapshot = self.source.raft.snapshot_of(revision).await.map_err(refused)?;
        let head = self.describe(&snapshot).await?;
        let front = front(&head);
        let bytes = front.len() as u64 + snapshot.size_bytes();
        let (revision, sessions) = (head.revision.0, head.sessions);
        send(parts, Part::Head { head, bytes }).await?;
        let mut checksum = crc32c::crc32c(&front);
        send(parts, Part::Piece(front)).await?;
        let mut at = 0;
        loop {
            let piece: Bytes = snapshot.read(at, PIECE_BYTES).await.map_err(|error| unreadable(&error))?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            checksum = crc32c::crc32c_append(checksum, &piece);
            send(parts, Part::Piece(piece)).await?;
        }
        send(parts, Part::End { checksum }).await?;
        tracing::info!(revision, sessions, bytes, "a backup was taken");
        Ok(())
    }

    async fn describe(&self, snapshot: &SnapshotCopy) -> Result<Head, Problem> {
        let (header, level) = snapshot.header().await.map_err(|error| unreadable(&error))?;
        Ok(Head {
            cluster: self.source.cluster.clone(),
            node: self.source.node,
            level,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at_ms: self.source.wall.read_ms(),
            state: header.state.ok_or(Problem::Uninitialized)?,
            revision: header.revision,
            time: header.time,
            sessions: header.sessions,
            snapshot_bytes: snapshot.size_bytes(),
        })
    }
}

async fn send(parts: &mpsc::Sender<Part>, part: Part) -> Result<(), Problem> {
    match timeout(READER_SILENCE_MAX, parts.send(part)).await {
        // One that has gone is noticed by whoever runs this.
        Ok(_) => Ok(()),
        Err(_) => {
            let after_s = READER_SILENCE_MAX.as_secs();
            Err(Problem::GivenUp { reason: format!("nothing was taken from it for {after_s} s; begin again") })
        }
    }
}

fn unreadable(error: &std::io::Error) -> Problem {
    Problem::GivenUp { reason: error.to_string() }
}

fn refused(refused: SnapshotRefused) -> Problem {
    match refused {
        SnapshotRefused::Stopped => Problem::Stopping,
        SnapshotRefused::NoRoom | SnapshotRefused::Differs => Problem::GivenUp { reason: refused.to_string() },
    }
}
