//! When what goes wrong: drawn once, before anything runs.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::Fault;

/// Pause between the beginnings of two faults.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 300..=2_500;

/// How many kinds one run has: few, so that each strikes more than once and meets the same others again.
const KINDS: std::ops::RangeInclusive<usize> = 3..=6;

/// A fault to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// What.
    pub fault: Fault,
    /// When, in the world's time.
    pub from_ms: u64,
    /// When it ends at the latest.
    pub until_ms: u64,
}

/// Faults between two moments. Each kind that is drawn strikes at least once.
#[must_use]
pub fn schedule(rng: &mut StdRng, from_ms: u64, until_ms: u64) -> Vec<Planned> {
    let count = rng.random_range(KINDS);
    let kinds: Vec<Fault> = Fault::ALL.sample(rng, count).copied().collect();
    let mut planned = Vec::new();
    let mut at_ms = from_ms;
    loop {
        at_ms += rng.random_range(PAUSE_MS);
        // Each kind in its turn, then by chance.
        let next = kinds.get(planned.len()).or_else(|| kinds.choose(rng));
        let Some(fault) = next.copied() else { return planned };
        let until = at_ms + rng.random_range(fault.lasting_ms());
        if until > until_ms {
            return planned;
        }
        planned.push(Planned { fault, from_ms: at_ms, until_ms: until });
    }
}
