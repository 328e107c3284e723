//! What is wrong between two hosts, in one direction.

use std::collections::BTreeMap;

use crate::world::HostId;

/// A fault of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFault {
    /// Nothing passes; what was sent is sent again once it does.
    Cut,
    /// Everything takes up to so much longer.
    Slow {
        /// At most.
        extra_ms: u64,
    },
}

/// All links; those not named are sound.
#[derive(Debug, Default)]
pub(super) struct Links {
    faults: BTreeMap<(HostId, HostId), LinkFault>,
}

impl Links {
    pub(super) fn set(&mut self, from: HostId, to: HostId, fault: Option<LinkFault>) {
        match fault {
            Some(fault) => self.faults.insert((from, to), fault),
            None => self.faults.remove(&(from, to)),
        };
    }

    pub(super) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.faults.get(&(from, to)) == Some(&LinkFault::Cut)
    }

    pub(super) fn extra_ms(&self, from: HostId, to: HostId) -> u64 {
        match self.faults.get(&(from, to)) {
            Some(LinkFault::Slow { extra_ms }) => *extra_ms,
            Some(LinkFault::Cut) | None => 0,
        }
    }
}
