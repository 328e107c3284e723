//! The pause between two tries to end leases while no majority answers: nothing can be decided, and each try is a
//! proposal and a line in the log.
//!
//! It ends as soon as a majority answers again, so that no lease lives longer for it. Pure: every instant is an
//! argument.

use std::time::Duration;

use tokio::time::Instant;

/// After the first try that failed: a majority may be back at once.
const FIRST: Duration = Duration::from_millis(50);

/// The longest one.
const MAX: Duration = Duration::from_secs(2);

/// A pause that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    until: Instant,
    length: Duration,
}

impl Pause {
    /// The one after a try that failed. Those that failed together make one pause.
    pub(super) fn after(former: Option<Self>, now: Instant) -> Self {
        match former {
            Some(former) if former.lasts(now) => former,
            Some(former) => Self::of((former.length * 2).min(MAX), now),
            None => Self::of(FIRST, now),
        }
    }

    /// Whether nothing is tried yet.
    pub(super) fn lasts(self, now: Instant) -> bool {
        now < self.until
    }

    fn of(length: Duration, now: Instant) -> Self {
        Self { until: now + length, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_with_each_try_up_to_a_bound_and_once_for_all_that_fail_together() {
        let mut now = crate::clock::now();
        let mut pause = None;
        let mut lengths = Vec::new();
        for _ in 0..8 {
            let begun = Pause::after(pause, now);
            assert_eq!(Pause::after(Some(begun), now), begun, "another lease failed in the same try");
            assert!(begun.lasts(now) && !begun.lasts(begun.until));
            lengths.push((begun.until - now).as_millis());
            (now, pause) = (begun.until, Some(begun));
        }
        assert_eq!(lengths, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
    }
}
