//! How fast a lane empties, and so when there will be room. Pure: every instant is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Over how long a rate is measured: several entries, so that one batch of answers is not taken for a speed.
const WINDOW: Duration = Duration::from_millis(100);

/// How long until a rate that is not seen again counts for half. A lane shows what it can do only while it is pressed,
/// so a peak is believed for a while; a lane that stalls hints longer and longer.
const HALF_LIFE: Duration = Duration::from_secs(2);

/// The hint of a lane that has never been pressed: about the time in which a healthy cluster answers a full lane.
const UNKNOWN_MS: u32 = 50;

/// The shortest hint: sooner, a refusal costs more than what was refused.
const RETRY_MS_MIN: u32 = 5;

/// The longest hint: beyond it a client should find out by itself whether the cluster is well again.
const RETRY_MS_MAX: u32 = 2_000;

/// The measured rate of one lane, in whatever the lane counts.
#[derive(Debug, Default, Clone, Copy)]
pub struct Drain {
    per_ms: f64,
    measured_at: Option<Instant>,
    /// Released since then.
    released: usize,
}

impl Drain {
    /// Counts what has left the lane.
    pub fn release(&mut self, amount: usize, now: Instant) {
        let measured_at = *self.measured_at.get_or_insert(now);
        self.released += amount;
        let elapsed = now.duration_since(measured_at);
        if elapsed >= WINDOW {
            let seen = self.released as f64 / elapsed.as_secs_f64() / 1_000.0;
            self.per_ms = seen.max(self.remembered(now));
            (self.measured_at, self.released) = (Some(now), 0);
        }
    }

    /// In how many milliseconds a backlog will be gone.
    #[must_use]
    pub fn retry_after_ms(&self, backlog: usize, now: Instant) -> u32 {
        let rate = self.remembered(now);
        if rate == 0.0 {
            return UNKNOWN_MS;
        }
        // A float beyond the integer becomes its largest value.
        ((backlog as f64 / rate).ceil() as u32).clamp(RETRY_MS_MIN, RETRY_MS_MAX)
    }

    fn remembered(&self, now: Instant) -> f64 {
        let idle = self.measured_at.map_or(Duration::ZERO, |at| now.duration_since(at));
        self.per_ms * 0.5_f64.powf(idle.as_secs_f64() / HALF_LIFE.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    /// A lane that gave out `per_ms` for half a second.
    fn pressed(start: Instant, per_ms: usize) -> Drain {
        let mut drain = Drain::default();
        for at in 0..=500 {
            drain.release(per_ms, ms(start, at));
        }
        drain
    }

    #[test]
    fn the_hint_is_the_backlog_over_the_rate() {
        let start = crate::clock::now();
        let drain = pressed(start, 20);
        let hint = drain.retry_after_ms(20 * 300, ms(start, 500));
        assert!((295..=300).contains(&hint), "300 ms of work at the rate seen, give or take a window: {hint}");
        assert!(drain.retry_after_ms(20 * 600, ms(start, 500)) > hint * 2 - 5, "twice the backlog takes twice as long");
        assert!(pressed(start, 40).retry_after_ms(20 * 300, ms(start, 500)) <= hint / 2 + 1, "twice the rate, half");
    }

    #[test]
    fn hints_are_bounded_and_begin_somewhere() {
        let start = crate::clock::now();
        assert_eq!(Drain::default().retry_after_ms(1 << 30, start), UNKNOWN_MS);
        let drain = pressed(start, 1_000);
        assert_eq!(drain.retry_after_ms(1, ms(start, 500)), RETRY_MS_MIN);
        assert_eq!(drain.retry_after_ms(usize::MAX, ms(start, 500)), RETRY_MS_MAX);
    }

    #[test]
    fn a_peak_is_remembered_and_a_stall_lengthens_the_hint() {
        let start = crate::clock::now();
        let mut drain = pressed(start, 100);
        let backlog = 100 * 400;
        let pressed_hint = drain.retry_after_ms(backlog, ms(start, 500));
        // A quiet second says little about what the lane can do.
        drain.release(1, ms(start, 1_500));
        let quiet = drain.retry_after_ms(backlog, ms(start, 1_500));
        assert!(quiet < pressed_hint * 3 / 2, "{quiet} after {pressed_hint}");
        // Nothing was answered for four seconds.
        let stalled = drain.retry_after_ms(backlog, ms(start, 5_500));
        assert!(stalled > quiet * 3, "{stalled} after {quiet}");
        assert_eq!(drain.retry_after_ms(backlog, ms(start, 60_500)), RETRY_MS_MAX);
    }
}
