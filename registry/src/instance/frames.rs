//! The answers to the last few frames of an incarnation.
//!
//! A gateway whose stream broke sends again what was not answered, and gets the first answers: every frame takes effect
//! exactly once, across leaders and snapshots.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    OperationResult, Rejection, Reply, Revision,
    digest::{Digest, Kind, Sum},
    limits, planted,
};

/// What was answered to one frame.
#[derive(Debug, Clone)]
pub(crate) struct KeptFrame {
    pub(crate) sequence: u64,
    pub(crate) revision: Revision,
    pub(crate) results: Arc<[OperationResult]>,
    digest: u64,
}

/// The last frame taken, and the answers still kept, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames {
    last: u64,
    kept: VecDeque<KeptFrame>,
    sum: Sum,
}

impl Frames {
    pub(crate) fn after(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn kept(&self) -> impl Iterator<Item = &KeptFrame> {
        self.kept.iter()
    }

    /// Whether the frame is the next one; if not, the answer.
    pub(crate) fn place(&self, sequence: u64) -> Result<(), Result<Reply, Rejection>> {
        let expected = self.last.saturating_add(1);
        if sequence == expected {
            return Ok(());
        }
        if sequence > expected {
            return Err(Err(Rejection::SequenceGap { expected }));
        }
        let kept = self.kept.iter().find(|kept| kept.sequence == sequence);
        Err(match kept {
            Some(KeptFrame { revision, results, .. }) => {
                Ok(Reply::Frame { revision: *revision, results: Arc::clone(results) })
            }
            None if planted!("dedup-forgotten") => return Ok(()),
            None => Err(Rejection::ReplyForgotten { last: self.last }),
        })
    }

    /// Takes the next frame and keeps its answer.
    pub(crate) fn keep(&mut self, sequence: u64, revision: Revision, results: Arc<[OperationResult]>) {
        self.last = sequence;
        self.restore(sequence, revision, results);
        if self.kept.len() > limits::FRAME_REPLIES_KEPT
            && let Some(oldest) = self.kept.pop_front()
        {
            self.sum.subtract(oldest.digest);
        }
    }

    #[cfg(feature = "planted")]
    pub(crate) fn forget_answers(&mut self) {
        *self = Self::after(self.last);
    }

    /// Keeps an answer again.
    pub(crate) fn restore(&mut self, sequence: u64, revision: Revision, results: Arc<[OperationResult]>) {
        let digest = Digest::of(Kind::Frame).number(sequence).number(revision.0).results(&results).finish();
        self.sum.add(digest);
        self.kept.push_back(KeptFrame { sequence, revision, results, digest });
    }

    pub(crate) fn digest(&self, digest: Digest) -> Digest {
        digest.number(self.last).number(self.sum.value())
    }
}
