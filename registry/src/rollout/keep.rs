//! Rollouts in a snapshot.

use std::sync::Arc;

use super::Rollout;
use crate::{State, ThawError, limits};

impl State {
    /// Takes in a rollout from a snapshot.
    pub(crate) fn restore_rollout(&mut self, rollout: &Arc<Rollout>) -> Result<(), ThawError> {
        let Rollout { candidates, stages, opened, .. } = rollout.as_ref();
        if candidates.is_empty() || candidates.len() > limits::PUBLISH_DOCUMENTS_MAX {
            return Err(ThawError::TooLarge("the changes of a rollout"));
        }
        if opened.is_empty() || opened.len() > stages.len() || stages.len() > limits::STAGES_MAX {
            return Err(ThawError::TooLarge("the stages of a rollout"));
        }
        let is_new = self.rollouts.insert(Arc::clone(rollout));
        if is_new { Ok(()) } else { Err(ThawError::Repeated("path that is rolled out")) }
    }
}
