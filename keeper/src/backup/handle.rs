//! Asking for a backup.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, ready};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::head::Head;
use super::limits::{PIECES_AHEAD, RETRY_AFTER_MS};
use super::worker::{Source, Worker};
use crate::problem::Problem;
use crate::view::Consistency;

/// Backups of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backups {
    asks: mpsc::Sender<Ask>,
    turn: Arc<Semaphore>,
}

/// Somebody who wants one.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) consistency: Consistency,
    pub(super) parts: mpsc::Sender<Part>,
    /// Why it ended before its end.
    pub(super) cut_off: oneshot::Sender<Problem>,
    /// The next one is taken when this is dropped.
    pub(super) turn: OwnedSemaphorePermit,
}

/// A part of a backup, in the order of its variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Once: what it is, and how long the file will be.
    Head {
        /// What the file says of itself.
        head: Head,
        /// Its size.
        bytes: u64,
    },
    /// The next bytes of the file.
    Piece(Bytes),
    /// Once: that was all.
    End {
        /// CRC-32C of the whole file.
        checksum: u32,
    },
}

/// A backup on its way. It ends behind [`Part::End`], or with a problem.
#[derive(Debug)]
pub struct BackupStream {
    parts: mpsc::Receiver<Part>,
    cut_off: Option<oneshot::Receiver<Problem>>,
}

impl Backups {
    /// The handle, and the worker to be run.
    #[must_use]
    pub fn new(source: Source) -> (Self, Worker) {
        let (asks, asked) = mpsc::channel(1);
        (Self { asks, turn: Arc::new(Semaphore::new(1)) }, Worker::new(source, asked))
    }

    /// Begins one that keeps this promise.
    ///
    /// # Errors
    /// Another one is being taken, or the node is stopping.
    pub fn take(&self, consistency: Consistency) -> Result<BackupStream, Problem> {
        let turn = Arc::clone(&self.turn).try_acquire_owned().map_err(|_| Problem::Full {
            what: "the number of backups taken from this node at once",
            limit: 1,
            retry_after_ms: RETRY_AFTER_MS,
        })?;
        let (sender, parts) = mpsc::channel(PIECES_AHEAD);
        let (cut_off, reason) = oneshot::channel();
        let ask = Ask { consistency, parts: sender, cut_off, turn };
        // Whoever has the turn finds room: the worker has taken the ask before.
        self.asks.try_send(ask).map_err(|_| Problem::Stopping)?;
        Ok(BackupStream { parts, cut_off: Some(reason) })
    }
}

impl Stream for BackupStream {
    type Item = Result<Part, Problem>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(part) = ready!(self.parts.poll_recv(context)) {
            return Poll::Ready(Some(Ok(part)));
        }
        let Some(cut_off) = &mut self.cut_off else { return Poll::Ready(None) };
        let reason = ready!(Pin::new(cut_off).poll(context));
        self.cut_off = None;
        Poll::Ready(reason.ok().map(Err))
    }
}
