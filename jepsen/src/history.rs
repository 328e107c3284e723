//! What happened, one event a line; see `SEMANTICS.md`.
//!
//! Events are written as they are seen, so that a run that dies leaves what it saw. All times come from one monotonic
//! clock, and the order of lines is the order of times.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use keeper_client_sdk::Error;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The fault injector's number.
pub(crate) const NEMESIS: i64 = -1;

/// The number of the one who looks at the nodes themselves.
pub(crate) const MONITOR: i64 = -2;

/// Lines beyond this are not written at once.
const BUFFER_BYTES: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) process: i64,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) f: Cow<'static, str>,
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Nanoseconds since the run began.
    pub(crate) time: u64,
}

/// Events in the order they were seen, kept and written.
pub(crate) struct History {
    began: Instant,
    seen: Mutex<Seen>,
}

struct Seen {
    events: Vec<Event>,
    file: BufWriter<File>,
}

impl History {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        let seen = Seen { events: Vec::new(), file: BufWriter::with_capacity(BUFFER_BYTES, file) };
        Ok(Self { began: Instant::now(), seen: Mutex::new(seen) })
    }

    /// Nanoseconds since the run began.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.began.elapsed())
    }

    /// What a moment of the runtime's clock is in this history.
    pub(crate) fn time_of(&self, moment: tokio::time::Instant) -> u64 {
        nanos(moment.into_std().saturating_duration_since(self.began))
    }

    pub(crate) fn add(&self, process: i64, kind: Kind, f: &'static str, key: &str, value: Value) -> Result<()> {
        let mut seen = self.seen.lock();
        // Under the lock, so that the order of lines is the order of times.
        let event = Event { process, kind, f: f.into(), key: key.to_owned(), value, time: self.now() };
        writeln!(seen.file, "{}", serde_json::to_string(&event)?)?;
        seen.events.push(event);
        Ok(())
    }

    /// What the fault injector did.
    pub(crate) fn fault(&self, f: &'static str, whom: &str, value: Value) -> Result<()> {
        self.add(NEMESIS, Kind::Info, f, whom, value)
    }

    /// Everything on disk, and every event.
    pub(crate) fn close(&self) -> Result<Vec<Event>> {
        let mut seen = self.seen.lock();
        seen.file.flush()?;
        Ok(seen.events.clone())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Reads a history that a run left behind.
pub(crate) fn read(path: &Path) -> Result<Vec<Event>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = BufReader::new(file).lines().enumerate();
    let event = |(at, line): (usize, std::io::Result<String>)| {
        serde_json::from_str(&line?).with_context(|| format!("{}:{} is no event", path.display(), at + 1))
    };
    lines.map(event).collect()
}

/// How an operation that was not acknowledged is written: `fail` only when it certainly did not happen.
pub(crate) fn outcome(error: &Error) -> (Kind, Value) {
    let kind = if error.may_have_happened() { Kind::Info } else { Kind::Fail };
    (kind, error.reason().into())
}
