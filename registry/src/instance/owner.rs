//! An incarnation and everything that hangs on it.

use std::{collections::VecDeque, sync::Arc};

use super::{Closed, Frames, Instance};
use crate::{
    Place,
    digest::{Digest, Kind},
    notice::NoticeCursor,
    session::{List, TopicCounts},
};

/// An incarnation: open; or closed with sessions that are not settled yet.
///
/// What an open one has (frames, notices, controls, topic counts) is dropped at closing, each in one deallocation, so
/// that closing does not depend on how many sessions there are.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) instance: Arc<Instance>,
    /// Its name, as facts have it.
    pub(crate) place: Arc<Place>,
    /// [`Instance::digest`], which never changes.
    descriptor: u64,
    pub(crate) closed: Option<Closed>,
    pub(crate) frames: Arc<Frames>,
    /// Those of an open one are live; those of a closed one wait for its passes.
    pub(crate) sessions: List,
    /// Sessions that dropped before it closed, and still linger.
    pub(crate) lingering: u64,
    /// The most sessions it may hold, by the policy in force.
    pub(crate) sessions_max: Option<u64>,
    pub(crate) topics: TopicCounts,
    /// Numbers of its notices in the ring, oldest first.
    pub(crate) notices: VecDeque<u64>,
    /// Notices of it up to here are gone.
    pub(crate) notices_floor: NoticeCursor,
    /// Notices of it up to here have been acted upon.
    pub(crate) confirmed: NoticeCursor,
    /// Controls it has not answered, oldest first.
    pub(crate) controls: Vec<u64>,
}

impl Owner {
    pub(crate) fn new(instance: Arc<Instance>) -> Self {
        Self {
            descriptor: instance.digest(),
            place: Arc::new(Place::of(&instance)),
            instance,
            closed: None,
            frames: Arc::default(),
            sessions: List::default(),
            lingering: 0,
            sessions_max: None,
            topics: TopicCounts::default(),
            notices: VecDeque::new(),
            notices_floor: NoticeCursor::default(),
            confirmed: NoticeCursor::default(),
            controls: Vec::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.closed.is_none()
    }

    pub(super) fn close(&mut self, closed: Closed) {
        self.closed = Some(closed);
        self.frames = Arc::default();
        self.topics = TopicCounts::default();
        self.notices = VecDeque::new();
        self.notices_floor = NoticeCursor::default();
        self.confirmed = NoticeCursor::default();
        self.controls = Vec::new();
    }

    /// Unanswered controls are left out: the controls themselves say who has answered.
    pub(super) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Owner)
            .number(self.descriptor)
            .number(u64::from(self.is_open()))
            .number(self.notices_floor.revision.0)
            .number(u64::from(self.notices_floor.position))
            .number(self.confirmed.revision.0)
            .number(u64::from(self.confirmed.position));
        let digest = self.closed.iter().fold(digest, |digest, closed| closed.digest(digest));
        self.frames.digest(digest).finish()
    }
}
