//! The graces of one version of the policy.
//!
//! A session that drops keeps the graces that were in force at that moment, so that a later change of the policy never
//! makes a subscriber wait longer, or less, than was decided. Versions whose graces are equal are one.

use std::{collections::BTreeMap, sync::Arc};

use super::SessionPolicy;
use crate::digest::{Digest, Kind};

/// How long sessions linger, by one version of the policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graces {
    /// Which version.
    pub number: u32,
    /// Without topics, or with topics that are not named.
    pub default_ms: u32,
    /// Of the topics that have one of their own.
    pub topics: BTreeMap<Arc<[u8]>, u32>,
}

impl Graces {
    pub(crate) fn of(number: u32, policy: &SessionPolicy) -> Self {
        let named = policy.topics.iter().filter_map(|(name, topic)| Some((Arc::clone(name), topic.grace_ms?)));
        Self { number, default_ms: policy.grace_ms, topics: named.collect() }
    }

    /// Of a topic's subscribers.
    pub(crate) fn of_topic(&self, name: &[u8]) -> u32 {
        self.topics.get(name).copied().unwrap_or(self.default_ms)
    }

    /// Of everybody else: the longest of a session's topics.
    pub(crate) fn longest<'a>(&self, topics: impl Iterator<Item = &'a [u8]>) -> u32 {
        topics.map(|name| self.of_topic(name)).max().unwrap_or(self.default_ms)
    }

    /// Every grace there is, once, the shortest first.
    pub(crate) fn stages(&self) -> Vec<u32> {
        let mut stages: Vec<_> = self.topics.values().copied().chain([self.default_ms]).collect();
        stages.sort_unstable();
        stages.dedup();
        stages
    }

    pub(crate) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Graces).number(self.number.into()).number(self.default_ms.into());
        self.topics.iter().fold(digest, |digest, (name, grace)| digest.bytes(name).number((*grace).into())).finish()
    }
}
