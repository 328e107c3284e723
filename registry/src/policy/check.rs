//! Whether a policy is within its bounds.

use std::sync::Arc;

use super::SessionPolicy;
use crate::{Rejection, check, limits};

impl SessionPolicy {
    pub(super) fn check(&self) -> Result<(), Rejection> {
        let Self { grace_ms, topics, instance_sessions_max: _, instances, expected } = self;
        check_grace("grace_ms", *grace_ms)?;
        check::size("topics", topics.len(), limits::POLICY_TOPICS_MAX)?;
        for (name, topic) in topics {
            check::bytes("topics", name, limits::TOPIC_BYTES_MAX)?;
            check_grace("topics.grace_ms", topic.grace_ms.unwrap_or_default())?;
        }
        check::size("instances", instances.len(), limits::POLICY_INSTANCES_MAX)?;
        instances.keys().try_for_each(|name| check_instance("instances", name))?;
        check::size("expected", expected.len(), limits::POLICY_INSTANCES_MAX)?;
        expected.iter().try_for_each(|name| check_instance("expected", name))
    }
}

fn check_grace(field: &'static str, grace_ms: u32) -> Result<(), Rejection> {
    let max = limits::GRACE_MS_MAX;
    if grace_ms <= max {
        return Ok(());
    }
    Err(Rejection::OutOfRange { field, actual: grace_ms.into(), min: 0, max: max.into() })
}

fn check_instance(field: &'static str, (service, id): &(Arc<str>, Arc<str>)) -> Result<(), Rejection> {
    check::name(field, service)?;
    check::name(field, id)
}
