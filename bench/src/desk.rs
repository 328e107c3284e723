//! Where callers report what became of their calls.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use anyhow::Error;
use parking_lot::Mutex;

use crate::latency::{Latencies, Recorder};

/// Where callers report.
#[derive(Debug)]
pub(crate) struct Desk {
    answers: Recorder,
    errors: AtomicU64,
    first_error: Mutex<Option<Error>>,
    stopped: AtomicBool,
}

/// What callers have done since it was last asked.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) latencies: Latencies,
    pub(crate) errors: u64,
    /// One of the errors, to be told.
    pub(crate) error: Option<Error>,
}

impl Done {
    /// Adds what was done later.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.latencies.absorb(&later.latencies);
        self.errors += later.errors;
        self.error = self.error.take().or(later.error);
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self {
            answers: Recorder::new(),
            errors: AtomicU64::new(0),
            first_error: Mutex::new(None),
            stopped: AtomicBool::new(false),
        }
    }

    /// `caller` spreads callers over recorders and means nothing else.
    pub(crate) fn answered(&self, caller: usize, latency: Duration) {
        self.answers.record(caller, latency);
    }

    pub(crate) fn failed(&self, error: Error) {
        self.errors.fetch_add(1, Relaxed);
        self.first_error.lock().get_or_insert(error);
    }

    /// What was answered since the last time. A call counts when it is answered.
    pub(crate) fn take(&self) -> Done {
        Done {
            latencies: self.answers.take(),
            errors: self.errors.swap(0, Relaxed),
            error: self.first_error.lock().take(),
        }
    }

    /// Asks callers to finish the call they are in.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }
}
