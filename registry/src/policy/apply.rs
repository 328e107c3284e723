//! A policy comes into force with the publish of its document, and goes with its deletion.

use std::sync::Arc;

use super::{Graces, Policies, SessionPolicy};
use crate::{DocumentAction, DocumentChange, Event, Rejection, State, limits};

impl State {
    /// The session policy in force.
    #[must_use]
    pub fn session_policy(&self) -> &Arc<SessionPolicy> {
        &self.policies.current
    }

    /// Only the document at the policy's path brings one, and it always does.
    pub(crate) fn check_policy(&self, change: &DocumentChange) -> Result<(), Rejection> {
        let DocumentAction::Put { policy, .. } = &change.action else { return Ok(()) };
        if policy.is_some() != (change.path == limits::POLICY_PATH) {
            return Err(Rejection::BadName { field: "policy" });
        }
        let Some(policy) = policy else { return Ok(()) };
        policy.check()?;
        let is_new = self.policies.graces_of(policy).number != self.policies.graces.number;
        if is_new && self.sessions.graces_in_use() >= limits::GRACES_KEPT {
            return Err(Rejection::Full { what: "versions of graces in use", limit: limits::GRACES_KEPT as u64 });
        }
        Ok(())
    }

    /// Brings into force what a published change says.
    pub(crate) fn take_policy(&mut self, change: &DocumentChange, events: &mut Vec<Event>) {
        if change.path != limits::POLICY_PATH {
            return;
        }
        let policy = match &change.action {
            DocumentAction::Put { policy, .. } => policy.clone().unwrap_or_default(),
            DocumentAction::Delete => Arc::default(),
        };
        self.policies.graces = self.policies.graces_of(&policy);
        self.flush_expected(&policy, events);
        self.enforce(policy);
    }

    /// Everything that hangs on the policy but graces.
    pub(crate) fn enforce(&mut self, policy: Arc<SessionPolicy>) {
        self.instances.bound(&policy);
        self.sessions.bound_topics(&self.instances, &policy);
        self.policies.current = policy;
    }
}

impl Policies {
    /// Those in force, unless the policy says others.
    fn graces_of(&self, policy: &SessionPolicy) -> Arc<Graces> {
        let same = Graces::of(self.graces.number, policy);
        if same == *self.graces {
            return Arc::clone(&self.graces);
        }
        Arc::new(Graces { number: self.graces.number.saturating_add(1), ..same })
    }
}
