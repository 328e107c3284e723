//! Latencies, in microseconds, with three significant digits.

use std::time::Duration;

use hdrhistogram::Histogram;
use parking_lot::Mutex;

/// The longest that is told apart; anything longer counts as this.
const LONGEST_US: u64 = 120_000_000;

/// Recorders that share the callers among them: enough that two threads seldom meet, few enough to stay in the caches.
/// One per caller would be 150 KiB times 1,024.
const SHARDS: usize = 8;

/// A set of latencies.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("1 below 2 minutes, at 3 digits, is a valid range"))
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US).max(1));
    }

    pub(crate) fn absorb(&mut self, others: &Self) {
        self.0.add(&others.0).expect("every set has the same range");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn p50_us(&self) -> u64 {
        self.0.value_at_quantile(0.50)
    }

    pub(crate) fn p99_us(&self) -> u64 {
        self.0.value_at_quantile(0.99)
    }

    pub(crate) fn max_us(&self) -> u64 {
        self.0.max()
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut all = Self::new();
        latencies.into_iter().for_each(|it| all.record(it));
        all
    }
}

/// Takes latencies from many callers at once.
#[derive(Debug)]
pub(crate) struct Recorder(Vec<Mutex<Latencies>>);

impl Recorder {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(Latencies::new())).collect())
    }

    /// `caller` spreads callers and means nothing else.
    pub(crate) fn record(&self, caller: usize, latency: Duration) {
        self.0[caller % SHARDS].lock().record(latency);
    }

    /// Everything since the last call.
    pub(crate) fn take(&self) -> Latencies {
        let mut all = Latencies::new();
        for shard in &self.0 {
            let taken = std::mem::take(&mut *shard.lock());
            all.absorb(&taken);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_thousandth() {
        let latencies: Latencies = (1..=10_000).map(Duration::from_micros).collect();
        let near = |actual: u64, exact: u64| actual.abs_diff(exact) * 1_000 <= exact;
        assert_eq!(latencies.count(), 10_000);
        assert!(near(latencies.p50_us(), 5_000), "{}", latencies.p50_us());
        assert!(near(latencies.p99_us(), 9_900), "{}", latencies.p99_us());
        assert!(near(latencies.max_us(), 10_000), "{}", latencies.max_us());
    }

    #[test]
    fn nothing_is_too_short_or_too_long() {
        let latencies: Latencies = [Duration::ZERO, Duration::from_secs(3_600)].into_iter().collect();
        assert_eq!(latencies.count(), 2);
        assert_eq!(latencies.p50_us(), 1);
        assert!(latencies.max_us() >= LONGEST_US);
    }

    #[test]
    fn a_recorder_forgets_what_was_taken() {
        let recorder = Recorder::new();
        (0..100).for_each(|caller| recorder.record(caller, Duration::from_micros(7)));
        assert_eq!(recorder.take().count(), 100);
        assert_eq!(recorder.take().count(), 0);
    }
}
