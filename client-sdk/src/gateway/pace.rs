//! A token bucket.

use std::time::Duration;

use tokio::time::{self, Instant};

/// Tokens are waited for in portions, so that a high rate costs few timers.
const PORTION: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    /// At most a portion, or one.
    tokens: f64,
    counted_at: Instant,
}

impl Pace {
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second: f64::from(per_second.max(1)), tokens: 0.0, counted_at: now }
    }

    /// Waits for a token. May be dropped at any await.
    pub(super) async fn take(&mut self) {
        while !self.try_take(Instant::now()) {
            let one = Duration::from_secs_f64(1.0 / self.per_second);
            time::sleep(one.max(PORTION)).await;
        }
    }

    fn try_take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.counted_at);
        let most = (self.per_second * (2 * PORTION).as_secs_f64()).max(1.0);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(most);
        self.counted_at = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_in(per_second: u32, step: Duration, steps: u32) -> u32 {
        let mut now = Instant::now();
        let mut pace = Pace::new(per_second, now);
        let mut taken = 0;
        for _ in 0..steps {
            now += step;
            while pace.try_take(now) {
                taken += 1;
            }
        }
        taken
    }

    #[test]
    fn a_second_gives_as_many_tokens_as_it_should() {
        for (per_second, step_ms) in [(20_000, 10), (20_000, 1), (100, 10), (1, 100)] {
            let taken =
                taken_in(per_second, Duration::from_millis(step_ms), 1_000 / u32::try_from(step_ms).expect("small"));
            assert!(taken.abs_diff(per_second) <= 1, "{taken} of {per_second}");
        }
    }

    #[test]
    fn time_that_was_not_used_is_not_saved() {
        assert!(taken_in(1_000, Duration::from_secs(10), 1) <= 20);
    }
}
