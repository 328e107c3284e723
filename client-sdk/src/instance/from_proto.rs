//! Instances as they come from the wire.

use std::time::Duration;

use keeper_proto::v1;

use crate::{Closed, InstanceInfo, InstancesChanged};

pub(crate) fn info(instance: v1::Instance) -> InstanceInfo {
    InstanceInfo {
        service: instance.service,
        id: instance.id,
        incarnation: instance.incarnation,
        endpoints: instance.endpoints,
        zone: instance.zone,
        weight: instance.weight,
        labels: instance.labels.into_iter().collect(),
        version: instance.version,
        ttl: Duration::from_millis(u64::from(instance.ttl_ms)),
        opened_revision: instance.opened_revision,
        opened_at_ms: instance.opened_at_ms,
        sessions: instance.sessions,
    }
}

pub(crate) fn changed(frame: v1::InstancesChanged) -> InstancesChanged {
    let closed = |it: v1::instances_changed::Closed| Closed {
        service: it.service,
        id: it.id,
        incarnation: it.incarnation,
        reason: it.reason,
    };
    InstancesChanged {
        revision: frame.cursor,
        state_id: frame.state_id,
        reset: frame.reset,
        opened: frame.opened.into_iter().map(info).collect(),
        closed: frame.closed.into_iter().map(closed).collect(),
    }
}
