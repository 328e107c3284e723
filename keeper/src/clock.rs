//! The one module that reads the clock.
//!
//! Two clocks serve different ends. The monotonic one ([`now`]) measures timeouts, leases and ages; it is tokio's, so
//! that a simulation can pause and advance it. The wall clock is read by [`LogClock`] alone, and only steers: log time
//! is the last log time plus the monotonic time since, drifting towards the wall clock by at most [`STEER_PER_MILLE`].
//! A jump of the wall clock, in either direction, therefore never moves log time by more than a hundredth of the time
//! that really passed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keeper_registry::LogTime;
use tokio::time::Instant;

/// How far log time may drift towards the wall clock: 10 ms in each second.
const STEER_PER_MILLE: u64 = 10;

/// The monotonic clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the home of the monotonic clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock, in Unix milliseconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the home of the wall clock")]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The wall clock as one node sees it: the system's, or a simulated one that jumps and drifts. Unix milliseconds.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl WallClock {
    /// The one of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self::new(wall_ms)
    }

    /// Any other.
    pub fn new(read_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read_ms))
    }

    /// This moment.
    #[must_use]
    pub fn read_ms(&self) -> u64 {
        (self.0)()
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WallClock")
    }
}

/// Stamps log time while this node leads.
#[derive(Debug)]
pub struct LogClock {
    last: LogTime,
    read_at: Instant,
    wall: WallClock,
}

impl LogClock {
    /// Goes on from `last`, the newest log time this node has applied, which it did at `heard_at`: what has passed
    /// since then has passed for the log too. A state that has no time yet begins at the wall clock.
    #[must_use]
    pub fn resume(last: LogTime, heard_at: Instant, wall: &WallClock) -> Self {
        if last == LogTime(0) {
            return Self { last: LogTime(wall.read_ms()), read_at: now(), wall: wall.clone() };
        }
        Self { last, read_at: heard_at, wall: wall.clone() }
    }

    /// The log time of this moment.
    pub fn stamp(&mut self) -> LogTime {
        let wall_ms = self.wall.read_ms();
        self.advance(now(), wall_ms)
    }

    fn advance(&mut self, at: Instant, wall_ms: u64) -> LogTime {
        let elapsed_ms = u64::try_from(at.duration_since(self.read_at).as_millis()).unwrap_or(u64::MAX);
        // The part of a millisecond that has not yet been counted stays before `read_at`.
        self.read_at += Duration::from_millis(elapsed_ms);
        let plain = self.last.0.saturating_add(elapsed_ms);
        let slack = elapsed_ms * STEER_PER_MILLE / 1_000;
        self.last = LogTime(wall_ms.clamp(plain - slack, plain + slack));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(last: u64) -> (LogClock, Instant) {
        let start = now();
        (LogClock { last: LogTime(last), read_at: start, wall: WallClock::system() }, start)
    }

    #[test]
    fn a_jump_of_the_wall_clock_moves_log_time_by_a_hundredth_at_most() {
        let (mut log, start) = clock(1_000_000);
        let after = start + Duration::from_secs(10);
        assert_eq!(log.advance(after, 9_000_000_000), LogTime(1_010_100));
        let later = after + Duration::from_secs(10);
        assert_eq!(log.advance(later, 0), LogTime(1_020_000));
    }

    #[test]
    fn log_time_meets_a_wall_clock_that_is_near() {
        let (mut log, start) = clock(1_000_000);
        assert_eq!(log.advance(start + Duration::from_secs(10), 1_010_030), LogTime(1_010_030));
    }

    #[tokio::test(start_paused = true)]
    async fn what_passed_since_the_last_entry_has_passed_for_the_log() {
        let (heard_at, wall) = (now(), WallClock::new(|| 9_000_000_000));
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(LogClock::resume(LogTime(1_000_000), heard_at, &wall).stamp(), LogTime(1_040_400));
        assert_eq!(LogClock::resume(LogTime(0), heard_at, &wall).stamp(), LogTime(9_000_000_000));
    }

    #[test]
    fn fractions_of_a_millisecond_are_not_lost() {
        let (mut log, start) = clock(0);
        let mut last = LogTime(0);
        for step in 1..=10_000u32 {
            last = log.advance(start + Duration::from_micros(100) * step, 1_000);
        }
        assert_eq!(last, LogTime(1_000));
    }
}
