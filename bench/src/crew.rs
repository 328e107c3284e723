//! Callers in a closed loop: each makes one call at a time and waits for its answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Error, Result};
use tokio::task::JoinSet;

use crate::{
    desk::{Desk, Done},
    latency::Latencies,
    meter::{Cost, Meter, Serving},
};

/// A caller whose call failed waits: a cluster that refuses must not be asked in a tight circle.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// Callers at work. They end with it.
pub(crate) struct Crew {
    tasks: JoinSet<()>,
    desk: Arc<Desk>,
}

impl Crew {
    /// `call` gets a number that no other call gets. Caller `n` of `callers` gets `n`, `n + callers`, `n + 2 * callers`
    /// ...
    pub(crate) fn start<C, F>(callers: usize, call: C) -> Self
    where
        C: Fn(u64) -> F + Clone + Send + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let desk = Arc::new(Desk::new());
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            tasks.spawn(work(caller, callers, desk.clone(), call.clone()));
        }
        Self { tasks, desk }
    }

    /// What was answered since the last time. A call counts when it is answered.
    pub(crate) fn take(&self) -> Done {
        self.desk.take()
    }

    /// Lets every caller finish its call.
    pub(crate) async fn stop(mut self) {
        self.desk.stop();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn work<C, F>(caller: usize, callers: usize, desk: Arc<Desk>, call: C)
where
    C: Fn(u64) -> F,
    F: Future<Output = Result<()>>,
{
    let mut number = caller as u64;
    while !desk.is_stopped() {
        let begun = Instant::now();
        match call(number).await {
            Ok(()) => desk.answered(caller, begun.elapsed()),
            Err(error) => {
                desk.failed(error);
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
        number += callers as u64;
    }
}

/// How a crew is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) callers: usize,
    /// Not counted: streams open, caches fill.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Pace {
    /// With a second of warming up.
    pub(crate) const fn new(callers: usize, measured: Duration) -> Self {
        Self { callers, warm_up: Duration::from_secs(1), measured }
    }
}

/// A crew's work, and what it cost.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) latencies: Latencies,
    pub(crate) errors: u64,
    pub(crate) error: Option<Error>,
    pub(crate) cost: Cost,
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.count() as f64 / self.cost.seconds
    }
}

/// Lets a crew work, and measures the part after the warm-up.
pub(crate) async fn measure<C, F>(server: &impl Serving, pace: Pace, call: C) -> Result<Measured>
where
    C: Fn(u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<()>> + Send + 'static,
{
    let crew = Crew::start(pace.callers, call);
    tokio::time::sleep(pace.warm_up).await;
    let warm_up = crew.take();
    let meter = Meter::start(server)?;
    tokio::time::sleep(pace.measured).await;
    let done = crew.take();
    let cost = meter.stop(server)?;
    crew.stop().await;
    Ok(Measured { latencies: done.latencies, errors: done.errors, error: done.error.or(warm_up.error), cost })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use anyhow::anyhow;
    use parking_lot::Mutex;

    use super::*;
    use crate::meter::Nobody;

    #[tokio::test]
    async fn every_call_has_a_number_of_its_own() {
        let numbers = Arc::new(Mutex::new(Vec::new()));
        let seen = numbers.clone();
        let crew = Crew::start(3, move |number| {
            seen.lock().push(number);
            async {
                tokio::task::yield_now().await;
                Ok(())
            }
        });
        while numbers.lock().len() < 100 {
            tokio::task::yield_now().await;
        }
        crew.stop().await;
        let numbers = numbers.lock();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
    }

    #[tokio::test]
    async fn failures_are_counted_and_told() {
        let pace = Pace { callers: 2, warm_up: Duration::ZERO, measured: Duration::from_millis(50) };
        let measured = measure(&Nobody, pace, |_| async { Err(anyhow!("refused")) }).await.unwrap();
        assert_eq!(measured.latencies.count(), 0);
        assert!(measured.errors >= 2, "{}", measured.errors);
        assert_eq!(measured.error.unwrap().to_string(), "refused");
    }
}
