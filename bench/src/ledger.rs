//! What was written about each user, step by step, and when.
//!
//! A user's life goes online, offline, online ...: step 1 is never having been there, and every register and unregister
//! adds one. The connection of a registration says whose it is and which step, so that whoever hears of it knows both.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// Bits of a connection's number that say the step: sixteen million, more than a user takes in a day of benchmarks.
const STEP_BITS: u32 = 24;

/// The step of a user who was never there.
const NEVER: u32 = 1;

/// What was written and acknowledged. Users are numbered from 0.
#[derive(Debug)]
pub(crate) struct Ledger {
    begun: Instant,
    pages: Vec<Page>,
    total: AtomicU64,
}

/// Of one user.
#[derive(Debug)]
struct Page {
    step: AtomicU32,
    at_us: AtomicU64,
}

/// A step of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) user: u64,
    pub(crate) number: u32,
}

impl Step {
    /// Of a user who was never there.
    pub(crate) const fn never(user: u64) -> Self {
        Self { user, number: NEVER }
    }

    pub(crate) const fn next(self) -> Self {
        Self { number: self.number + 1, ..self }
    }

    /// The number of the connection that begins with this step.
    pub(crate) fn connection(self) -> u64 {
        (self.user << STEP_BITS) | u64::from(self.number)
    }

    /// The step that began a connection.
    pub(crate) fn of_connection(connection: &[u8]) -> Option<Self> {
        let number = u64::from_be_bytes(connection.try_into().ok()?);
        let step = u32::try_from(number & ((1 << STEP_BITS) - 1)).ok()?;
        Some(Self { user: number >> STEP_BITS, number: step })
    }
}

impl Ledger {
    pub(crate) fn new(users: u64) -> Self {
        let page = |_| Page { step: AtomicU32::new(NEVER), at_us: AtomicU64::new(0) };
        Self { begun: Instant::now(), pages: (0..users).map(page).collect(), total: AtomicU64::new(0) }
    }

    fn page(&self, user: u64) -> Option<&Page> {
        self.pages.get(usize::try_from(user).ok()?)
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A step was acknowledged.
    pub(crate) fn acknowledged(&self, step: Step) {
        if let Some(page) = self.page(step.user) {
            page.at_us.store(self.now_us(), Relaxed);
            page.step.store(step.number, Relaxed);
            self.total.fetch_add(1, Relaxed);
        }
    }

    /// How long ago a step was acknowledged; zero when that is still to come.
    pub(crate) fn age(&self, step: Step) -> Duration {
        let Some(page) = self.page(step.user).filter(|page| page.step.load(Relaxed) >= step.number) else {
            return Duration::ZERO;
        };
        Duration::from_micros(self.now_us().saturating_sub(page.at_us.load(Relaxed)))
    }

    /// The last step of each user.
    pub(crate) fn steps(&self) -> Vec<u32> {
        self.pages.iter().map(|page| page.step.load(Relaxed)).collect()
    }

    /// How many steps there were.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_says_its_step() {
        let step = Step::never(70_000).next();
        assert_eq!(Step::of_connection(&step.connection().to_be_bytes()), Some(step));
        assert_eq!(Step::of_connection(b"other"), None);
    }

    #[test]
    fn what_is_not_acknowledged_has_no_age() {
        let ledger = Ledger::new(2);
        let step = Step::never(1).next();
        assert_eq!(ledger.age(step), Duration::ZERO);
        ledger.acknowledged(step);
        ledger.acknowledged(step.next());
        assert_eq!((ledger.steps(), ledger.total()), (vec![1, 3], 2));
        assert_eq!(ledger.age(step.next().next()), Duration::ZERO);
    }
}
