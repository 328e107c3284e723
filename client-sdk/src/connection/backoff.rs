//! Pauses that grow while a failure lasts.

use std::time::Duration;

use crate::{limits, random::Random};

#[derive(Debug)]
pub(crate) struct Backoff {
    random: Random,
    ceiling: Duration,
}

impl Backoff {
    pub(crate) const fn new(random: Random) -> Self {
        Self { random, ceiling: limits::BACKOFF_MIN }
    }

    /// The next pause: doubled each time up to the longest, jittered; never shorter than what the server asked for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let pause = self.random.jitter(self.ceiling);
        self.ceiling = (self.ceiling * 2).min(limits::BACKOFF_MAX);
        // What the server asks for is the same for all who were refused: jitter on top parts them again.
        asked.map_or(pause, |asked| asked + pause)
    }

    /// Something worked: the next failure is a new one.
    pub(crate) const fn reset(&mut self) {
        self.ceiling = limits::BACKOFF_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_within_bounds_and_begin_anew() {
        let mut backoff = Backoff::new(Random::new(Some(1)));
        let mut ceiling = limits::BACKOFF_MIN;
        for _ in 0..20 {
            let pause = backoff.next(None);
            assert!(pause >= ceiling / 2 && pause <= ceiling, "{pause:?} beyond {ceiling:?}");
            ceiling = (ceiling * 2).min(limits::BACKOFF_MAX);
        }
        backoff.reset();
        assert!(backoff.next(None) <= limits::BACKOFF_MIN);
    }

    #[test]
    fn a_server_that_asks_for_time_gets_it() {
        let mut backoff = Backoff::new(Random::new(Some(1)));
        assert!(backoff.next(Some(Duration::from_secs(7))) >= Duration::from_secs(7));
    }

    #[test]
    fn the_same_seed_gives_the_same_pauses() {
        let pauses = |seed| {
            let mut backoff = Backoff::new(Random::new(Some(seed)));
            (0..8).map(|_| backoff.next(None)).collect::<Vec<_>>()
        };
        assert_eq!(pauses(3), pauses(3));
        assert_ne!(pauses(3), pauses(4));
    }
}
