//! A bound on what is under way at once, for calls that need no order.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;

use crate::clock;
use crate::govern::Drain;
use crate::problem::Problem;

/// Admits up to a number of units.
#[derive(Debug)]
pub struct Gate {
    what: &'static str,
    units_max: usize,
    refused: Counter,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    units: usize,
    drain: Drain,
}

/// Units under way; they leave when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    gate: Arc<Gate>,
    units: usize,
}

impl Gate {
    /// An open gate. `what` is counted, as in "the lane of lookups (keys)".
    #[must_use]
    pub fn new(what: &'static str, units_max: usize, refused: Counter) -> Arc<Self> {
        Arc::new(Self { what, units_max, refused, held: Mutex::default() })
    }

    /// Admits units, or says what is full. One call always fits an empty gate, however large.
    ///
    /// # Errors
    /// [`Problem::Full`]: nothing was done.
    pub fn enter(self: &Arc<Self>, units: usize) -> Result<Admitted, Problem> {
        let mut held = self.held.lock();
        if held.units > 0 && held.units + units > self.units_max {
            self.refused.inc();
            let retry_after_ms = held.drain.retry_after_ms(held.units, clock::now());
            return Err(Problem::Full { what: self.what, limit: self.units_max as u64, retry_after_ms });
        }
        held.units += units;
        Ok(Admitted { gate: Arc::clone(self), units })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut held = self.gate.held.lock();
        held.units -= self.units;
        held.drain.release(self.units, clock::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_bound_is_refused_until_something_leaves() {
        let refused = Counter::default();
        let gate = Gate::new("the lane of tests", 10, refused.clone());
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
}
