//! A gateway that the registry waits for.

use std::sync::Arc;

use crate::{
    digest::{Digest, Kind},
    numbered::numbered,
};

numbered! {
    /// How far a gateway is in registering its connections again.
    pub enum RebuildProgress {
        /// Not heard of yet, or its lease ran out before it had finished.
        Awaited = 1,
        /// It has opened, and registers.
        Flushing = 2,
        /// It has nothing more to register.
        Finished = 3,
        /// An admin waits for it no longer.
        GivenUp = 4,
    }
}

/// A gateway that is expected to register again what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildGateway {
    /// Its kind.
    pub service: Arc<str>,
    /// Its name.
    pub id: Arc<str>,
    /// How far it is.
    pub progress: RebuildProgress,
    /// How many connections it has to register, as it said so first.
    pub total: u64,
    /// How many of them are left.
    pub remaining: u64,
}

impl RebuildGateway {
    pub(super) fn awaited(service: &Arc<str>, id: &Arc<str>) -> Self {
        let (service, id) = (Arc::clone(service), Arc::clone(id));
        Self { service, id, progress: RebuildProgress::Awaited, total: 0, remaining: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.progress, RebuildProgress::Finished | RebuildProgress::GivenUp)
    }

    pub(super) fn digest(&self) -> u64 {
        Digest::of(Kind::RebuildGateway)
            .text(&self.service)
            .text(&self.id)
            .number(u64::from(self.progress.number()))
            .number(self.total)
            .number(self.remaining)
            .finish()
    }
}
