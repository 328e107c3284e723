//! The one source of chance: jitter, request ids, which node first. Seeded by the system, or by the caller for runs
//! that must repeat.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

#[derive(Debug, Clone)]
pub(crate) struct Random(Arc<Mutex<StdRng>>);

impl Random {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let source = seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
        Self(Arc::new(Mutex::new(source)))
    }

    /// Evenly from the upper half of `ceiling`: spread enough to part a herd, long enough to be a pause.
    pub(crate) fn jitter(&self, ceiling: Duration) -> Duration {
        ceiling.mul_f64(self.0.lock().random_range(0.5..=1.0))
    }

    /// Evenly from nothing to `ceiling`: beginnings of many, spread over it.
    pub(crate) fn within(&self, ceiling: Duration) -> Duration {
        ceiling.mul_f64(self.0.lock().random_range(0.0..=1.0))
    }

    pub(crate) fn below(&self, bound: usize) -> usize {
        self.0.lock().random_range(0..bound.max(1))
    }

    /// Sixteen bytes that make a retried request the same request.
    pub(crate) fn request_id(&self) -> Bytes {
        let mut id = [0; 16];
        self.0.lock().fill_bytes(&mut id);
        Bytes::copy_from_slice(&id)
    }
}
