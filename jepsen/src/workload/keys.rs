//! Which keys the clients of a run meet at.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::{RngExt, rngs::StdRng};

/// Few keys make many conflicts.
const KEYS: usize = 5;

/// After so many operations a key is left for a new one: what is unknown about a key costs the checker dearly.
const OPERATIONS_PER_KEY: u64 = 400;

/// A few keys at a time, each left behind after a while. Also hands out numbers that are written once.
#[derive(Debug)]
pub(crate) struct Keys {
    prefix: &'static str,
    used: [AtomicU64; KEYS],
    numbers: AtomicU64,
}

impl Keys {
    pub(super) fn new(prefix: &'static str) -> Self {
        Self { prefix, used: Default::default(), numbers: AtomicU64::new(1) }
    }

    pub(super) fn pick(&self, random: &mut StdRng) -> String {
        let at = random.random_range(0..KEYS);
        let generation = self.used[at].fetch_add(1, Ordering::Relaxed) / OPERATIONS_PER_KEY;
        format!("{}-{at}-{generation}", self.prefix)
    }

    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}
