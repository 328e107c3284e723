//! How long a device waits before it comes back.
//!
//! A connection that breaks is tried again soon: the network may be well already. A refusal is the room's own word, and
//! asking it again at once only adds to what it has to refuse. Each doubles its pause on its own, jittered, so that a
//! crowd that was sent away together does not come back together; a connection that stood begins both anew.

use std::time::Duration;

use crate::crowd::device::End;

/// The first pause after a break.
const BROKEN_PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest one.
const BROKEN_PAUSE_MAX: Duration = Duration::from_secs(5);
/// The first pause after a refusal.
const REFUSED_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest one: who refuses for so long is looked at by somebody, who sees the crowd come back within a minute.
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(60);
/// A connection counts as one that stood after so long, unless it ends with a refusal.
const STOOD_MIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pauses {
    broken: Doubling,
    refused: Doubling,
}

#[derive(Debug)]
struct Doubling {
    next: Duration,
    max: Duration,
}

impl Pauses {
    pub(super) const fn new() -> Self {
        Self {
            broken: Doubling::new(BROKEN_PAUSE_MIN, BROKEN_PAUSE_MAX),
            refused: Doubling::new(REFUSED_PAUSE_MIN, REFUSED_PAUSE_MAX),
        }
    }

    /// How long to wait after such an end of a connection that was open for so long; none when the device stays away.
    pub(super) fn after(&mut self, end: End, open: Duration) -> Option<Duration> {
        match end {
            End::Elsewhere => None,
            End::Refused => Some(self.refused.next()),
            End::Broken => {
                if open >= STOOD_MIN {
                    *self = Self::new();
                }
                Some(self.broken.next())
            }
        }
    }
}

impl Doubling {
    const fn new(first: Duration, max: Duration) -> Self {
        Self { next: first, max }
    }

    fn next(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::random_range(0.5..1.5));
        self.next = (self.next * 2).min(self.max);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_refused_comes_back_later_each_time() {
        let mut pauses = Pauses::new();
        let mut ceiling = REFUSED_PAUSE_MIN;
        for _ in 0..20 {
            // Open for long, because the room asks the cluster before it refuses: that is no reason to hurry.
            let pause = pauses.after(End::Refused, STOOD_MIN * 2).unwrap();
            assert!(pause >= ceiling / 2 && pause <= ceiling.mul_f64(1.5), "{pause:?} around {ceiling:?}");
            ceiling = (ceiling * 2).min(REFUSED_PAUSE_MAX);
        }
        assert_eq!(ceiling, REFUSED_PAUSE_MAX);
    }

    #[test]
    fn a_break_does_not_forget_a_refusal_but_a_connection_that_stood_does() {
        let mut pauses = Pauses::new();
        for _ in 0..10 {
            pauses.after(End::Refused, Duration::ZERO).unwrap();
        }
        assert!(pauses.after(End::Broken, Duration::ZERO).unwrap() < REFUSED_PAUSE_MIN);
        assert!(pauses.after(End::Refused, Duration::ZERO).unwrap() >= REFUSED_PAUSE_MAX / 2);
        pauses.after(End::Broken, STOOD_MIN).unwrap();
        assert!(pauses.after(End::Refused, Duration::ZERO).unwrap() <= REFUSED_PAUSE_MIN.mul_f64(1.5));
    }

    #[test]
    fn a_crowd_that_was_refused_together_comes_back_apart() {
        let firsts: Vec<_> = (0..8).map(|_| Pauses::new().after(End::Refused, Duration::ZERO)).collect();
        assert!(firsts.iter().any(|pause| *pause != firsts[0]), "{firsts:?}");
    }

    #[test]
    fn a_device_that_is_elsewhere_stays_away() {
        assert_eq!(Pauses::new().after(End::Elsewhere, STOOD_MIN), None);
    }
}
