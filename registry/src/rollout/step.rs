//! What becomes of a rollout. Each step is refused, with what is the case, when the rollout is not where it is meant to
//! be: one that is asked for twice is done once.

use std::sync::Arc;

use super::{AdvanceRollout, PromoteRollout, Rollout, RolloutState, StepRollout, StopCause, StopRollout};
use crate::{DocumentChange, Event, Rejection, Reply, State, check, config::Authorship, limits};

impl State {
    pub(crate) fn advance_rollout(
        &mut self,
        advance: &AdvanceRollout,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let AdvanceRollout { rollout, from_stage, author } = advance;
        let present = self.rollout_in(*rollout, &[RolloutState::Running], author)?;
        if present.stage() != *from_stage || present.opened.len() >= present.stages.len() {
            return Err(present.refusal());
        }
        let now = self.now();
        self.step_rollout(*rollout, RolloutState::Running, author, events, |rollout| rollout.opened.push(now))
    }

    pub(crate) fn pause_rollout(&mut self, step: &StepRollout, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        self.rollout_in(step.rollout, &[RolloutState::Running], &step.author)?;
        self.step_rollout(step.rollout, RolloutState::Paused, &step.author, events, |_| {})
    }

    pub(crate) fn resume_rollout(&mut self, step: &StepRollout, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        self.rollout_in(step.rollout, &[RolloutState::Paused], &step.author)?;
        self.step_rollout(step.rollout, RolloutState::Running, &step.author, events, |_| {})
    }

    pub(crate) fn stop_rollout(&mut self, stop: &StopRollout, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let StopRollout { rollout, cause, reason, author } = stop;
        check::size("reason", reason.len(), limits::MESSAGE_BYTES_MAX)?;
        self.rollout_in(*rollout, &[RolloutState::Running, RolloutState::Paused], author)?;
        let state = match cause {
            StopCause::Aborted => RolloutState::Aborted,
            StopCause::Failed => RolloutState::Stopped,
        };
        self.step_rollout(*rollout, state, author, events, |rollout| rollout.reason = reason.as_str().into())
    }

    /// Published under the name of who started it.
    pub(crate) fn promote_rollout(
        &mut self,
        promote: &PromoteRollout,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        let PromoteRollout { rollout, from_stage, judged, forced, author } = promote;
        if let Some(reason) = forced {
            check::bytes("forced", reason.as_bytes(), limits::MESSAGE_BYTES_MAX)?;
        }
        let present = Arc::clone(self.rollout_in(*rollout, &[RolloutState::Running], author)?);
        if from_stage.is_some_and(|stage| stage != present.stage()) {
            return Err(present.refusal());
        }
        self.check_judged(judged)?;
        let forced = forced.as_deref().map(Arc::from).or_else(|| present.forced.clone());
        let changes: Vec<&DocumentChange> = present.candidates.iter().map(super::Candidate::change).collect();
        let authorship =
            Authorship { author: Arc::clone(&present.author), message: Arc::clone(&present.message), forced };
        self.write_judged(&changes, &authorship, events)?;
        self.step_rollout(*rollout, RolloutState::Promoted, author, events, |_| {})
    }

    /// A cluster that begins anew from a backup opens no stage by itself: an admin looks first.
    pub(crate) fn pause_rollouts(&mut self, events: &mut Vec<Event>) {
        let running = self.rollouts.iter().filter(|rollout| rollout.state == RolloutState::Running);
        let running: Vec<_> = running.map(|rollout| rollout.id).collect();
        for id in running {
            drop(self.step_rollout(id, RolloutState::Paused, "", events, |_| {}));
        }
    }

    /// The rollout, if it is in one of these states.
    fn rollout_in(&self, id: u64, states: &[RolloutState], author: &str) -> Result<&Arc<Rollout>, Rejection> {
        check::author(author)?;
        let rollout = self.rollouts.get(id).ok_or(Rejection::NotFound { what: "rollout" })?;
        if states.contains(&rollout.state) { Ok(rollout) } else { Err(rollout.refusal()) }
    }

    fn step_rollout(
        &mut self,
        id: u64,
        state: RolloutState,
        author: &str,
        events: &mut Vec<Event>,
        step: impl FnOnce(&mut Rollout),
    ) -> Result<Reply, Rejection> {
        let now = self.now();
        self.rollouts.change(id, |rollout| {
            step(rollout);
            (rollout.state, rollout.changed, rollout.by) = (state, now, author.into());
        });
        events.push(Event::Rollout(id));
        self.rollouts.get(id).map(|rollout| rollout.reply()).ok_or(Rejection::NotFound { what: "rollout" })
    }
}
