//! Controls: what processes should do now.
//!
//! A control is addressed once, when it is applied, to the instances that are open then. Each answers for itself; the
//! first answer counts. Whether an instance that has not answered is gone is seen from the instances, so that closing
//! one costs nothing here.

mod query;
mod send;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;

pub use self::query::Addressed;
use crate::{
    Incarnation, LogTime,
    digest::{Digest, Kind, Sum},
    limits,
};

/// An action and who was asked to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Strictly increasing; the revision that sent it, or a little more when one entry sends several.
    pub number: u64,
    /// The kind of process it is addressed to.
    pub service: Arc<str>,
    /// What to do.
    pub action: Arc<str>,
    /// The application's to read.
    pub argument: Bytes,
    /// Who asked.
    pub author: Arc<str>,
    /// When.
    pub sent_at: LogTime,
    /// Until when it is worth doing.
    pub deadline_at: LogTime,
    /// Sorted by instance.
    pub answers: Vec<ControlAnswer>,
}

/// One addressed instance and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlAnswer {
    /// Which instance.
    pub instance: Arc<str>,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// What it said.
    pub state: AnswerState,
}

/// What an instance said to a control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerState {
    /// Nothing yet.
    Waiting,
    /// That it is done.
    Done {
        /// Anything to add.
        message: Arc<str>,
    },
    /// That it is not.
    Refused {
        /// Why.
        message: Arc<str>,
    },
}

impl Control {
    fn digest(&self) -> u64 {
        Digest::of(Kind::Control)
            .number(self.number)
            .text(&self.service)
            .text(&self.action)
            .bytes(&self.argument)
            .text(&self.author)
            .number(self.sent_at.0)
            .number(self.deadline_at.0)
            .finish()
    }

    fn answer_digest(&self, answer: &ControlAnswer) -> u64 {
        let digest = Digest::of(Kind::Answer).number(self.number).text(&answer.instance).number(answer.incarnation.0);
        match &answer.state {
            AnswerState::Waiting => digest.number(1),
            AnswerState::Done { message } => digest.number(2).text(message),
            AnswerState::Refused { message } => digest.number(3).text(message),
        }
        .finish()
    }

    fn forgotten_at(&self) -> LogTime {
        LogTime(self.deadline_at.0.saturating_add(limits::CONTROL_KEPT_MS))
    }
}

/// Controls that can still be read.
#[derive(Debug, Default)]
pub(crate) struct Controls {
    by_number: BTreeMap<u64, Arc<Control>>,
    by_deadline: BTreeSet<(LogTime, u64)>,
    /// The last number given.
    pub(crate) last: u64,
    sum: Sum,
}

impl Controls {
    pub(crate) fn sum(&self) -> u64 {
        self.sum.value()
    }

    pub(crate) fn by_number(&self) -> &BTreeMap<u64, Arc<Control>> {
        &self.by_number
    }

    pub(crate) fn insert(&mut self, control: Arc<Control>) {
        self.sum.add(control.digest());
        control.answers.iter().for_each(|answer| self.sum.add(control.answer_digest(answer)));
        self.by_deadline.insert((control.deadline_at, control.number));
        self.by_number.insert(control.number, control);
    }

    fn remove(&mut self, number: u64) {
        let Some(control) = self.by_number.remove(&number) else { return };
        self.by_deadline.remove(&(control.deadline_at, number));
        self.sum.subtract(control.digest());
        control.answers.iter().for_each(|answer| self.sum.subtract(control.answer_digest(answer)));
    }

    /// Drops some of those that nobody reads any more.
    pub(crate) fn forget(&mut self, now: LogTime) {
        for _ in 0..limits::FORGET_SLICE {
            let Some((_, number)) = self.by_deadline.first().copied() else { return };
            if self.by_number.get(&number).is_some_and(|control| control.forgotten_at() > now) {
                return;
            }
            self.remove(number);
        }
    }
}
