//! How fast a scan may go.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock;

/// Sessions a second. What was let go is paid for before more is. Time in which nobody asked gives next to no credit,
/// so that a client that was away starts no burst.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<u32>,
    next_at: Instant,
}

/// Pages a second of a paced scan: often enough to be even, seldom enough to be cheap.
const PAGES_PER_SECOND: u32 = 20;

/// Time that may be made up for: a timer that wakes late must not slow the scan down.
const CREDIT: Duration = Duration::from_millis(100);

impl Pace {
    /// 0: as fast as they are taken.
    pub(super) fn new(rate: u32) -> Self {
        Self { rate: (rate > 0).then_some(rate), next_at: clock::now() }
    }

    /// How many sessions a page may hold.
    pub(super) fn page(&self, most: usize) -> usize {
        self.rate.map_or(most, |rate| usize::try_from(rate / PAGES_PER_SECOND).unwrap_or(most).clamp(1, most))
    }

    /// Waits until the next page is due.
    pub(super) async fn wait(&self) {
        match self.rate {
            Some(_) => tokio::time::sleep_until(self.next_at).await,
            // Pages that are always ready would keep others of this thread from running.
            None => tokio::task::yield_now().await,
        }
    }

    /// Notes what a page held.
    pub(super) fn spend(&mut self, sessions: usize) {
        if let Some(rate) = self.rate {
            let cost = Duration::from_secs_f64(sessions as f64 / f64::from(rate));
            let now = clock::now();
            self.next_at = self.next_at.max(now.checked_sub(CREDIT).unwrap_or(now)) + cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scan_keeps_its_rate_and_saves_no_credit() {
        let mut pace = Pace::new(50_000);
        assert_eq!(pace.page(1_000), 1_000);
        let start = clock::now();
        for _ in 0..100 {
            pace.wait().await;
            pace.spend(1_000);
        }
        pace.wait().await;
        let taken = clock::now().duration_since(start);
        assert!((1_990..=2_150).contains(&taken.as_millis()), "100,000 sessions took {taken:?}");

        tokio::time::advance(Duration::from_secs(60)).await;
        let resumed = clock::now();
        for _ in 0..10 {
            pace.wait().await;
            pace.spend(1_000);
        }
        pace.wait().await;
        assert!(clock::now().duration_since(resumed) >= Duration::from_millis(200) - CREDIT);
    }

    #[test]
    fn slow_scans_have_small_pages() {
        assert_eq!((Pace::new(1).page(1_000), Pace::new(1_000).page(1_000), Pace::new(0).page(1_000)), (1, 50, 1_000));
    }
}
