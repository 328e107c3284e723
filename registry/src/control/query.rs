//! What senders and instances are told of controls.

use std::sync::Arc;

use super::{AnswerState, Control};
use crate::{Incarnation, State};

/// One addressed instance as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// Open, and has not answered.
    Waiting,
    /// Closed before it answered.
    Gone,
    /// Done or refused, in its words.
    Answered(AnswerState),
}

impl State {
    /// A control that is still kept.
    #[must_use]
    pub fn control(&self, number: u64) -> Option<&Arc<Control>> {
        self.controls.by_number.get(&number)
    }

    /// Where one answer of a control stands.
    #[must_use]
    pub fn addressed(&self, answer: &super::ControlAnswer) -> Addressed {
        match &answer.state {
            AnswerState::Waiting if self.instances.id(answer.incarnation).is_none() => Addressed::Gone,
            AnswerState::Waiting => Addressed::Waiting,
            state @ (AnswerState::Done { .. } | AnswerState::Refused { .. }) => Addressed::Answered(state.clone()),
        }
    }

    /// The controls an open incarnation has not answered, oldest first. Those past their deadline are among them until
    /// they are forgotten.
    pub fn controls_for(&self, incarnation: Incarnation) -> impl Iterator<Item = &Arc<Control>> {
        let owner = self.instances.id(incarnation).and_then(|id| self.instances.open(id));
        let numbers = owner.into_iter().flat_map(|owner| &owner.controls);
        numbers.filter_map(|number| self.controls.by_number.get(number))
    }
}
