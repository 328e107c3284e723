//! An incarnation and everything that hangs on it.

use std::{collections::VecDeque, sync::Arc};

use super::{Frames, Instance};
use crate::{
    Revision,
    digest::{Digest, Kind},
    notice::NoticeCursor,
    session::{List, TopicCounts},
};

/// An incarnation: open; or closed with rows still to be reaped.
///
/// What an open one has (frames, notices, controls, topic counts) is dropped at closing, each in one deallocation, so
/// that closing does not depend on how many sessions there are.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) instance: Arc<Instance>,
    /// [`Instance::digest`], which never changes.
    descriptor: u64,
    /// At which revision it was closed.
    pub(crate) closed: Option<Revision>,
    pub(crate) frames: Arc<Frames>,
    pub(crate) sessions: List,
    pub(crate) topics: TopicCounts,
    /// Numbers of its notices in the ring, oldest first.
    pub(crate) notices: VecDeque<u64>,
    /// Notices of it up to here are gone.
    pub(crate) notices_floor: NoticeCursor,
    /// Controls it has not answered, oldest first.
    pub(crate) controls: Vec<u64>,
}

impl Owner {
    pub(crate) fn new(instance: Arc<Instance>) -> Self {
        Self {
            descriptor: instance.digest(),
            instance,
            closed: None,
            frames: Arc::default(),
            sessions: List::default(),
            topics: TopicCounts::default(),
            notices: VecDeque::new(),
            notices_floor: NoticeCursor::default(),
            controls: Vec::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub(super) fn close(&mut self, at: Revision) {
        self.closed = Some(at);
        self.frames = Arc::default();
        self.topics = TopicCounts::default();
        self.notices = VecDeque::new();
        self.notices_floor = NoticeCursor::default();
        self.controls = Vec::new();
    }

    /// Unanswered controls are left out: the controls themselves say who has answered.
    pub(super) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Owner)
            .number(self.descriptor)
            .optional(self.closed.map(|revision| revision.0))
            .number(self.notices_floor.revision.0)
            .number(u64::from(self.notices_floor.position));
        self.frames.digest(digest).finish()
    }
}
