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

/// One direction between two hosts, and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenLink {
    /// Who sends.
    pub from: HostId,
    /// Who receives.
    pub to: HostId,
    /// How it is broken.
    pub fault: LinkFault,
}

/// All links; those not named are sound. Several faults of one link last until each is mended.
#[derive(Debug, Default)]
pub(super) struct Links {
    faults: BTreeMap<(HostId, HostId), Vec<LinkFault>>,
}

impl Links {
    pub(super) fn break_one(&mut self, link: BrokenLink) {
        self.faults.entry((link.from, link.to)).or_default().push(link.fault);
    }

    pub(super) fn mend_one(&mut self, link: BrokenLink) {
        let faults = self.faults.entry((link.from, link.to)).or_default();
        if let Some(at) = faults.iter().position(|fault| *fault == link.fault) {
            faults.swap_remove(at);
        }
    }

    pub(super) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.of(from, to).any(|fault| fault == LinkFault::Cut)
    }

    pub(super) fn extra_ms(&self, from: HostId, to: HostId) -> u64 {
        let extra_ms = self.of(from, to).map(|fault| match fault {
            LinkFault::Slow { extra_ms } => extra_ms,
            LinkFault::Cut => 0,
        });
        extra_ms.max().unwrap_or(0)
    }

    fn of(&self, from: HostId, to: HostId) -> impl Iterator<Item = LinkFault> {
        self.faults.get(&(from, to)).into_iter().flatten().copied()
    }
}
