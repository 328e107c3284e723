//! One direction of a connection: what is on its way, what has arrived, who waits.

use std::collections::VecDeque;
use std::task::Waker;

use bytes::{Buf, Bytes};

use crate::world::HostId;

/// Bytes sent and not acknowledged: about what a kernel takes before a writer waits.
const WINDOW_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(super) enum Segment {
    Data(Bytes),
    /// The writer has nothing more to say.
    Fin,
    /// The writer does not know the connection, or has left it with bytes unread.
    Reset,
}

#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) from: HostId,
    pub(super) to: HostId,
    /// In the order sent, each with the moment it arrives.
    flight: VecDeque<(u64, Segment)>,
    inbox: VecDeque<Bytes>,
    unacknowledged: usize,
    /// Read, and not yet known to the writer to be.
    read: usize,
    pub(super) is_finished: bool,
    pub(super) is_reset: bool,
    /// Held up at least once by a cut.
    pub(super) was_held: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

impl Pipe {
    pub(super) const fn new(from: HostId, to: HostId) -> Self {
        Self {
            from,
            to,
            flight: VecDeque::new(),
            inbox: VecDeque::new(),
            unacknowledged: 0,
            read: 0,
            is_finished: false,
            is_reset: false,
            was_held: false,
            reader: None,
            writer: None,
        }
    }

    /// Room for the writer.
    pub(super) const fn room(&self) -> usize {
        WINDOW_BYTES.saturating_sub(self.unacknowledged)
    }

    pub(super) fn send(&mut self, due_ms: u64, segment: Segment) {
        if let Segment::Data(bytes) = &segment {
            self.unacknowledged += bytes.len();
        }
        // Nothing overtakes on one connection.
        let due_ms = self.flight.back().map_or(due_ms, |(last_ms, _)| due_ms.max(*last_ms));
        self.flight.push_back((due_ms, segment));
    }

    /// What is first on its way, if it has arrived by now.
    pub(super) fn arrived(&mut self, now_ms: u64) -> Option<Segment> {
        if !self.is_due(now_ms) {
            return None;
        }
        self.flight.pop_front().map(|(_, segment)| segment)
    }

    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.flight.front().is_some_and(|(due_ms, _)| *due_ms <= now_ms)
    }

    /// Tries again later.
    pub(super) fn postpone(&mut self, due_ms: u64) {
        self.was_held = true;
        for (due, _) in &mut self.flight {
            *due = (*due).max(due_ms);
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_empty()
    }

    pub(super) fn take_in(&mut self, bytes: Bytes) {
        self.inbox.push_back(bytes);
    }

    pub(super) fn has_unread(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Bytes for the reader, at most so many.
    pub(super) fn read(&mut self, most: usize) -> Option<Bytes> {
        let first = self.inbox.front_mut()?;
        let bytes = if first.len() <= most { self.inbox.pop_front()? } else { first.copy_to_bytes(most) };
        self.read += bytes.len();
        Some(bytes)
    }

    /// The writer learns what was read.
    pub(super) fn acknowledge(&mut self) {
        let read = std::mem::take(&mut self.read);
        self.unacknowledged -= read;
        if read > 0
            && let Some(writer) = self.writer.take()
        {
            writer.wake();
        }
    }

    /// The connection is gone, for both who read and who write it.
    pub(super) fn reset(&mut self) {
        self.is_reset = true;
        self.flight.clear();
        self.wake();
    }

    pub(super) fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }
}
