//! How many sessions there may be, by the policy in force.
//!
//! Only live ones count, and only what would be more than before is refused: a register that takes the place of a live
//! session adds nothing to a topic both are bound to, nor to an instance that holds it already. A policy that allows
//! fewer than there are ends nobody.

use std::sync::Arc;

use bytes::Bytes;

use super::{Entry, OwnerId, Sessions, TopicCounts, TopicId};
use crate::{Rejection, SessionPolicy, State, instance::Instances};

impl State {
    /// Whether an owner and topics may have one more session, in the place of a live one or of none.
    pub(super) fn check_quota(
        &self,
        owner: OwnerId,
        topics: &[Bytes],
        live: Option<Entry<'_>>,
    ) -> Result<(), Rejection> {
        self.check_topic_quota(topics, live)?;
        let Some(present) = self.instances.open(owner) else { return Ok(()) };
        let Some(max) = present.sessions_max else { return Ok(()) };
        let adds = live.is_none_or(|entry| entry.row.owner() != owner);
        if !adds || present.sessions.len() < max {
            return Ok(());
        }
        let (service, id) = (&present.instance.service, &present.instance.id);
        let is_single = self.policies.current.instances.contains_key(&(Arc::clone(service), Arc::clone(id)));
        let limit = if is_single { format!("instances.{service}/{id}") } else { "instance_sessions_max".to_owned() };
        Err(Rejection::Quota { limit: limit.into(), present: present.sessions.len(), max })
    }

    /// Whether topics may have one more session, unless the live one is bound to them.
    pub(super) fn check_topic_quota(&self, topics: &[Bytes], live: Option<Entry<'_>>) -> Result<(), Rejection> {
        if !self.sessions.topics.are_bounded() {
            return Ok(());
        }
        for name in topics {
            let Some(topic) = self.sessions.topics.find(name) else { continue };
            let Some((present, max)) = self.sessions.topics.bound(topic) else { continue };
            let is_bound = live.is_some_and(|entry| entry.topics().any(|other| other == topic));
            if present >= max && !is_bound {
                let limit = format!("topics.{}.sessions_max", String::from_utf8_lossy(name));
                return Err(Rejection::Quota { limit: limit.into(), present, max });
            }
        }
        Ok(())
    }
}

impl Sessions {
    /// The topics that the policy bounds are counted over all owners from here on.
    pub(crate) fn bound_topics(&mut self, instances: &Instances, policy: &SessionPolicy) {
        let counted = |topic: TopicId| instances.open_owners().map(|owner| owner.topics.get(topic)).sum();
        self.topics.bound_to(policy, counted);
    }

    /// An owner closes: none of its sessions counts any more.
    pub(crate) fn forget_topics(&mut self, counts: &TopicCounts) {
        self.topics.forget(counts);
    }
}
