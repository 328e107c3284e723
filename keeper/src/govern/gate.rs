//! A bound on what is under way at once, for calls that need no order.
//!
//! What is under way is gone on with by its client's stream. A client that takes nothing from it leaves it lying where
//! it is, and would keep what it was admitted with. So an admission counts for a while only: when there is no room,
//! those that are older than anything that makes progress are forgotten, and have to find room again when they go on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;

use crate::clock;
use crate::govern::Drain;
use crate::problem::Problem;

/// Admits up to a number of units.
#[derive(Debug)]
pub struct Gate {
    what: &'static str,
    units_max: usize,
    stale_max: Duration,
    refused: Counter,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    last: u64,
    units: usize,
    /// By age: since when, and how many.
    admitted: BTreeMap<u64, (Instant, usize)>,
    drain: Drain,
}

/// Units under way; they leave when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    gate: Arc<Gate>,
    number: u64,
    units: usize,
}

impl Gate {
    /// An open gate. `what` is counted, as in "the lane of lookups (keys)".
    #[must_use]
    pub fn new(what: &'static str, units_max: usize, stale_max: Duration, refused: Counter) -> Arc<Self> {
        Arc::new(Self { what, units_max, stale_max, refused, held: Mutex::default() })
    }

    /// Admits units, or says what is full. One call always fits an empty gate, however large.
    ///
    /// # Errors
    /// [`Problem::Full`]: nothing was done.
    pub fn enter(self: &Arc<Self>, units: usize) -> Result<Admitted, Problem> {
        let number = self.find_room(units)?;
        Ok(Admitted { gate: Arc::clone(self), number, units })
    }

    fn find_room(&self, units: usize) -> Result<u64, Problem> {
        let now = clock::now();
        let mut held = self.held.lock();
        while held.units > 0 && held.units + units > self.units_max {
            let oldest = held.admitted.first_key_value().map(|(number, (since, _))| (*number, *since));
            match oldest {
                Some((number, since)) if since + self.stale_max <= now => held.leave(number, now),
                Some(_) | None => {
                    self.refused.inc();
                    let retry_after_ms = held.drain.retry_after_ms(held.units, now);
                    return Err(Problem::Full { what: self.what, limit: self.units_max as u64, retry_after_ms });
                }
            }
        }
        held.last += 1;
        held.units += units;
        let number = held.last;
        held.admitted.insert(number, (now, units));
        Ok(number)
    }
}

impl Held {
    fn leave(&mut self, number: u64, now: Instant) {
        if let Some((_, units)) = self.admitted.remove(&number) {
            self.units -= units;
            self.drain.release(units, now);
        }
    }
}

impl Admitted {
    /// Goes on with what was admitted.
    ///
    /// # Errors
    /// [`Problem::Full`]: it lay around for so long that others were let in instead.
    pub fn go_on(&mut self) -> Result<(), Problem> {
        if !self.gate.held.lock().admitted.contains_key(&self.number) {
            self.number = self.gate.find_room(self.units)?;
        }
        Ok(())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.gate.held.lock().leave(self.number, clock::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_over_the_bound_is_refused_until_something_leaves() {
        let refused = Counter::default();
        let gate = Gate::new("the lane of tests", 10, STALE, refused.clone());
        let first = gate.enter(6).expect("there is room");
        let second = gate.enter(4).expect("there is room");
        let full = gate.enter(1).expect_err("it is full");
        assert!(matches!(full, Problem::Full { what: "the lane of tests", limit: 10, .. }), "{full:?}");
        assert_eq!(refused.get(), 1);
        drop(first);
        drop(gate.enter(6).expect("room was made"));
        drop(second);
        drop(gate.enter(100).expect("one call always fits an empty gate"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_goes_on_with_gives_way_when_there_is_no_room() {
        let gate = Gate::new("the lane of tests", 10, STALE, Counter::default());
        let mut first = gate.enter(5).expect("there is room");
        tokio::time::advance(STALE / 2).await;
        let mut second = gate.enter(5).expect("there is room");
        tokio::time::advance(STALE / 2).await;
        let third = gate.enter(3).expect("the first has lain around for long enough");
        assert_eq!(second.go_on(), Ok(()), "the second need not go yet");
        first.go_on().expect_err("there is no room for it now");
        drop(third);
        drop(second);
        assert_eq!(first.go_on(), Ok(()));
        drop(first);
        let held = gate.held.lock();
        assert_eq!((held.units, held.admitted.len()), (0, 0));
    }
}
