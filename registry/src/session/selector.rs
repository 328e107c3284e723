//! Which sessions a walk or a kick is about, brought down to what a row can be asked.

use super::{Entry, OwnerId, TopicId, walk::Walked};
use crate::{Rejection, SessionSelector, State, check, limits};

/// A selector with its names resolved once, so that a row is compared by numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matcher<'a> {
    pub(super) owner: Option<OwnerId>,
    pub(super) topic: Option<TopicId>,
    pub(super) user_prefix: &'a [u8],
    pub(super) slot: Option<&'a [u8]>,
}

impl Matcher<'_> {
    pub(super) fn matches(&self, entry: Entry<'_>) -> bool {
        self.owner.is_none_or(|owner| entry.row.owner() == owner)
            && entry.user().starts_with(self.user_prefix)
            && self.slot.is_none_or(|slot| entry.slot() == slot)
            && self.topic.is_none_or(|topic| entry.topics().any(|other| other == topic))
    }
}

impl SessionSelector {
    pub(super) fn is_everything(&self) -> bool {
        self.topic.is_none() && self.instance.is_none() && self.user_prefix.is_empty() && self.slot.is_none()
    }

    /// Whether an owner's list holds just the sessions meant.
    pub(super) fn is_instance_alone(&self) -> bool {
        self.instance.is_some() && self.topic.is_none() && self.user_prefix.is_empty() && self.slot.is_none()
    }

    pub(super) fn check(&self) -> Result<(), Rejection> {
        if let Some(topic) = &self.topic {
            check::bytes("topic", topic, limits::TOPIC_BYTES_MAX)?;
        }
        if let Some((service, id)) = &self.instance {
            check::name("instance", service)?;
            check::name("instance", id)?;
        }
        check::size("user_prefix", self.user_prefix.len(), limits::USER_BYTES_MAX)?;
        let slot = self.slot.as_ref().map_or(0, bytes::Bytes::len);
        check::size("slot", slot, limits::SLOT_BYTES_MAX)
    }
}

impl State {
    /// None when nothing can match: nobody is bound to the topic, or no such instance is open. Of sessions that are
    /// seen, the instance may have closed, perhaps more than once: whoever walks them compares names.
    pub(super) fn matcher<'a>(&self, selector: &'a SessionSelector, walked: Walked) -> Option<Matcher<'a>> {
        let owner = match (walked, &selector.instance) {
            (Walked::Seen, _) | (Walked::Live, None) => None,
            (Walked::Live, Some((service, id))) => Some(self.instances.named(service, id)?.0),
        };
        let topic = match &selector.topic {
            None => None,
            Some(topic) => Some(self.sessions.topics.find(topic)?),
        };
        Some(Matcher { owner, topic, user_prefix: &selector.user_prefix, slot: selector.slot.as_deref() })
    }
}
