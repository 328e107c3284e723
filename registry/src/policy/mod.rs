//! What an admin decides about sessions: graces, quotas, and the gateways that are expected.
//!
//! It is written as a document of the config keeper, at [`limits::POLICY_PATH`](crate::limits::POLICY_PATH), so that it
//! has a history, a diff and a way back like any other. The proposer reads the document; what it says travels with the
//! entry, because no parser runs inside `apply`.

mod apply;
mod check;
mod graces;

use std::{collections::BTreeMap, sync::Arc};

pub use self::graces::Graces;
use crate::digest::{Digest, Kind};

/// What is decided about sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long a session lingers after its connection dropped: without topics, or with topics that are not named.
    pub grace_ms: u32,
    /// At most `limits::POLICY_TOPICS_MAX`.
    pub topics: BTreeMap<Arc<[u8]>, TopicPolicy>,
    /// The most sessions an instance may hold; none: no bound.
    pub instance_sessions_max: Option<u64>,
    /// Other bounds for single instances, by (service, id): at most `limits::POLICY_INSTANCES_MAX`.
    pub instances: BTreeMap<(Arc<str>, Arc<str>), u64>,
    /// Gateways, by (service, id), that the registry waits for when it is filled again after its state was lost: at
    /// most `limits::POLICY_INSTANCES_MAX`.
    pub expected: Vec<(Arc<str>, Arc<str>)>,
}

/// What is decided about a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TopicPolicy {
    /// How long its subscribers wait before they take a dropped connection for gone; none: as long as by default.
    pub grace_ms: Option<u32>,
    /// The most sessions that may be bound to it; none: no bound.
    pub sessions_max: Option<u64>,
}

/// The policy in force.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    pub(crate) current: Arc<SessionPolicy>,
    pub(crate) graces: Arc<Graces>,
}

impl Policies {
    pub(crate) fn digest(&self) -> u64 {
        let SessionPolicy { grace_ms: _, topics, instance_sessions_max, instances, expected } = self.current.as_ref();
        let mut digest = Digest::of(Kind::Policy).number(self.graces.digest()).optional(*instance_sessions_max);
        for (name, topic) in topics {
            let grace = topic.grace_ms.map(u64::from);
            digest = digest.bytes(name).optional(grace).optional(topic.sessions_max);
        }
        for ((service, id), max) in instances {
            digest = digest.text(service).text(id).number(*max);
        }
        expected.iter().fold(digest, |digest, (service, id)| digest.text(service).text(id)).finish()
    }
}

impl SessionPolicy {
    /// The most sessions an instance may hold.
    pub(crate) fn sessions_max(&self, service: &Arc<str>, id: &Arc<str>) -> Option<u64> {
        let single = if self.instances.is_empty() {
            None
        } else {
            self.instances.get(&(Arc::clone(service), Arc::clone(id))).copied()
        };
        single.or(self.instance_sessions_max)
    }
}
