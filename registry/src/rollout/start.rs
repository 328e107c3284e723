//! Starting a rollout: judged as a publish, and kept instead of published.

use std::sync::Arc;

use super::{Candidate, Rollout, RolloutState, StartRollout, index};
use crate::{Event, Rejection, Reply, Stamp, State, check, limits};

impl State {
    pub(crate) fn start_rollout(&mut self, start: &StartRollout, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let StartRollout { publish, stages, gates } = start;
        check::range("stages", stages.len() as u64, 1, limits::STAGES_MAX as u64)?;
        stages.iter().try_for_each(super::Stage::check)?;
        gates.check()?;
        // What is the cluster's own is for no instance.
        if publish.changes.iter().any(|change| change.path.starts_with(limits::OWN_PREFIX)) {
            return Err(Rejection::BadName { field: "changes" });
        }
        let changes = self.judge_publish(publish)?;
        if changes.is_empty() {
            return Err(Rejection::NotFound { what: "changes" });
        }
        let candidates = changes.into_iter().map(Candidate::of).collect::<Result<_, _>>()?;
        let now = self.now();
        let rollout = Rollout {
            id: self.clock.revision.0.max(self.rollouts.last.saturating_add(1)),
            author: publish.author.as_str().into(),
            message: publish.message.as_str().into(),
            forced: publish.forced.as_deref().map(Arc::from),
            candidates,
            stages: stages.as_slice().into(),
            gates: *gates,
            opened: vec![now],
            state: RolloutState::Running,
            changed: now,
            by: publish.author.as_str().into(),
            reason: Arc::default(),
        };
        self.rollouts.make_room(index::bytes(&rollout))?;
        let reply = rollout.reply();
        self.rollouts.last = rollout.id;
        events.push(Event::Rollout(rollout.id));
        self.rollouts.insert(Arc::new(rollout));
        Ok(reply)
    }

    pub(super) fn now(&self) -> Stamp {
        Stamp { revision: self.clock.revision, time: self.clock.time }
    }
}

impl Rollout {
    /// Where it stands.
    pub(super) fn reply(&self) -> Reply {
        Reply::Rollout { rollout: self.id, state: self.state, stage: self.stage() }
    }

    /// The same, as the reason for a refusal.
    pub(super) fn refusal(&self) -> Rejection {
        Rejection::RolloutIs { rollout: self.id, state: self.state, stage: self.stage() }
    }
}
