//! A policy comes into force with the publish of its document, and goes with its deletion.

use std::sync::Arc;

use super::{Graces, Policies, SessionPolicy};
use crate::{DocumentAction, DocumentChange, Event, Level, Policy, Rejection, State, limits};

impl State {
    /// The session policy in force.
    #[must_use]
    pub fn session_policy(&self) -> &Arc<SessionPolicy> {
        &self.policies.current
    }

    /// Only the document at the policy's path brings one, and it always does.
    pub(crate) fn check_policy(&self, change: &DocumentChange) -> Result<(), Rejection> {
        let DocumentAction::Put { policy, .. } = &change.action else { return Ok(()) };
        let policy = match (change.path.as_str(), policy) {
            (limits::POLICY_PATH, Some(Policy::Sessions(policy))) => policy,
            (limits::HISTORY_PATH, Some(Policy::History(policy))) => return policy.check(),
            // Before its level, a document at that path was one like any other.
            (limits::HISTORY_PATH, None) if self.level() < Level::CONFIGS => return Ok(()),
            (limits::POLICY_PATH | limits::HISTORY_PATH, _) | (_, Some(_)) => {
                return Err(Rejection::BadName { field: "policy" });
            }
            (_, None) => return Ok(()),
        };
        policy.check()?;
        let is_new = self.policies.graces_of(policy).number != self.policies.graces.number;
        if is_new && self.sessions.graces_in_use() >= limits::GRACES_KEPT {
            return Err(Rejection::Full { what: "versions of graces in use", limit: limits::GRACES_KEPT as u64 });
        }
        Ok(())
    }

    /// Brings into force what a published change says.
    pub(crate) fn take_policy(&mut self, change: &DocumentChange, events: &mut Vec<Event>) {
        let policy = match (&change.action, change.path.as_str()) {
            (DocumentAction::Put { policy: Some(Policy::Sessions(policy)), .. }, _) => Arc::clone(policy),
            (DocumentAction::Put { policy: Some(Policy::History(policy)), .. }, _) => {
                return self.configs.retain_by(Arc::clone(policy));
            }
            (DocumentAction::Delete, limits::POLICY_PATH) => Arc::default(),
            (DocumentAction::Delete, limits::HISTORY_PATH) => return self.configs.retain_by(Arc::default()),
            (DocumentAction::Put { policy: None, .. } | DocumentAction::Delete, _) => return,
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
