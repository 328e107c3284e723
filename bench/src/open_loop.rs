//! Callers in an open loop: operations come at a fixed rate, whether or not earlier ones are done.
//!
//! Each operation is due at a time of its own, and its latency begins then, not when somebody was free to call: what
//! waits behind slow ones counts its waiting, so nothing is omitted because the system was busy. Operations are due on
//! whole milliseconds, because finer timers do not exist; a millisecond's operations come together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Result;
use tokio::{task::JoinSet, time::Instant};

use crate::desk::{Desk, Done};

/// Callers are enough for answers that take this long. Whoever comes when all are busy waits for one, and counts it.
const ANSWER_TIME: Duration = Duration::from_millis(250);

/// Fewer would let one slow answer hold up a slow schedule; more would only be memory.
const CALLERS: std::ops::RangeInclusive<u64> = 64..=16_384;

/// When operations are due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    begun: Instant,
    per_second: u64,
    operations: u64,
    callers: u64,
}

/// Operations under way. They end with it.
pub(crate) struct OpenLoop {
    tasks: JoinSet<()>,
    desk: Arc<Desk>,
}

impl Schedule {
    /// From now on, for a while.
    pub(crate) fn lasting(per_second: u64, time: Duration) -> Self {
        let operations = u128::from(per_second) * time.as_millis() / 1_000;
        Self { operations: u64::try_from(operations).unwrap_or(u64::MAX), ..Self::endless(per_second) }
    }

    /// From now on, until it is stopped.
    pub(crate) fn endless(per_second: u64) -> Self {
        let callers = u128::from(per_second) * ANSWER_TIME.as_millis() / 1_000;
        let callers = u64::try_from(callers).unwrap_or(u64::MAX).clamp(*CALLERS.start(), *CALLERS.end());
        Self { begun: Instant::now(), per_second: per_second.max(1), operations: u64::MAX, callers }
    }

    fn due(&self, number: u64) -> Instant {
        let ms = u128::from(number) * 1_000 / u128::from(self.per_second);
        self.begun + Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }
}

impl OpenLoop {
    /// `call` gets 0, 1, 2 ...
    pub(crate) fn start<C, F>(schedule: Schedule, call: C) -> Self
    where
        C: Fn(u64) -> F + Clone + Send + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let desk = Arc::new(Desk::new());
        let next = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..schedule.callers {
            tasks.spawn(work(schedule, desk.clone(), next.clone(), call.clone()));
        }
        Self { tasks, desk }
    }

    /// What was answered since the last time.
    pub(crate) fn take(&self) -> Done {
        self.desk.take()
    }

    /// Waits until everything scheduled is answered, and says what was since the last time.
    pub(crate) async fn finish(mut self) -> Done {
        while self.tasks.join_next().await.is_some() {}
        self.desk.take()
    }

    /// Begins no more, waits for what is under way, and says what was answered since the last time.
    pub(crate) async fn stop(self) -> Done {
        self.desk.stop();
        self.finish().await
    }
}

async fn work<C, F>(schedule: Schedule, desk: Arc<Desk>, next: Arc<AtomicU64>, call: C)
where
    C: Fn(u64) -> F,
    F: Future<Output = Result<()>>,
{
    while !desk.is_stopped() {
        let number = next.fetch_add(1, Relaxed);
        if number >= schedule.operations {
            break;
        }
        let due = schedule.due(number);
        if due > Instant::now() {
            tokio::time::sleep_until(due).await;
        }
        match call(number).await {
            Ok(()) => desk.answered(usize::try_from(number).unwrap_or_default(), due.elapsed()),
            Err(error) => desk.failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn operations_are_due_at_their_rate() {
        let schedule = Schedule::lasting(2_500, Duration::from_secs(2));
        assert_eq!(schedule.operations, 5_000);
        let ms = |number| schedule.due(number).duration_since(schedule.begun).as_millis();
        assert_eq!([ms(0), ms(1), ms(2), ms(3), ms(2_500)], [0, 0, 0, 1, 1_000]);
    }

    #[tokio::test]
    async fn every_operation_is_done_once() {
        let numbers = Arc::new(Mutex::new(Vec::new()));
        let seen = numbers.clone();
        let schedule = Schedule::lasting(1_000, Duration::from_millis(300));
        let done = OpenLoop::start(schedule, move |number| {
            seen.lock().push(number);
            async move { if number == 7 { Err(anyhow!("refused")) } else { Ok(()) } }
        })
        .finish()
        .await;
        numbers.lock().sort_unstable();
        assert_eq!(*numbers.lock(), (0..300).collect::<Vec<_>>());
        assert_eq!((done.latencies.count(), done.errors), (299, 1));
        assert_eq!(done.error.unwrap().to_string(), "refused");
    }

    #[tokio::test]
    async fn what_waits_for_a_caller_counts_its_waiting() {
        let schedule = Schedule { callers: 2, ..Schedule::lasting(1_000, Duration::from_millis(10)) };
        let done = OpenLoop::start(schedule, |_| async {
            let answer = std::future::pending::<()>();
            drop(tokio::time::timeout(Duration::from_millis(20), answer).await);
            Ok(())
        })
        .finish()
        .await;
        // Two at a time for ten: the last were due within 10 ms and are answered after 100.
        assert_eq!(done.latencies.count(), 10);
        assert!(done.latencies.max_us() > 85_000, "{}", done.latencies.max_us());
    }
}
