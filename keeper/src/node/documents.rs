//! What documents are judged by, sealed with, and given as: made once, and shared by all who need it.

use std::sync::Arc;

use crate::config::schema::Compiled;
use crate::config::secret::KeyRing;
use crate::merged::Merges;
use crate::node::start::Parts;
use crate::propose::Proposer;
use crate::publish::{Nonces, Publisher};
use crate::raft::Offload;
use crate::view::View;

/// The parts that are about documents.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) compiled: Arc<Compiled>,
    keys: Arc<KeyRing>,
    nonces: Nonces,
    offload: Offload,
}

impl Documents {
    pub(super) fn of(parts: &Parts) -> Self {
        let (keys, nonces) = (Arc::clone(&parts.keys), parts.nonces.clone());
        Self { compiled: Arc::default(), keys, nonces, offload: parts.offload }
    }

    pub(super) fn merges(&self) -> Arc<Merges> {
        Arc::new(Merges::new(KeyRing::clone(&self.keys), Arc::clone(&self.compiled)))
    }

    pub(super) fn publisher(&self, view: View, proposer: Proposer) -> Publisher {
        let (compiled, keys) = (Arc::clone(&self.compiled), Arc::clone(&self.keys));
        Publisher::new(view, proposer, compiled, keys, self.nonces.clone(), self.offload)
    }
}
