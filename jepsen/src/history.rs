//! What happened, one event a line; see `SEMANTICS.md`.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

use anyhow::{Context, Result};
use keeper_client_sdk::Error;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

/// The fault injector's number.
pub(crate) const NEMESIS: i64 = -1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Event {
    pub(crate) process: i64,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) f: &'static str,
    pub(crate) key: String,
    pub(crate) value: Value,
    pub(crate) time: u64,
}

/// Events in the order they were seen, kept and written.
pub(crate) struct History {
    began: Instant,
    seen: Mutex<(Vec<Event>, BufWriter<File>)>,
}

impl History {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { began: Instant::now(), seen: Mutex::new((Vec::new(), BufWriter::new(file))) })
    }

    fn add(&self, process: i64, kind: Kind, f: &'static str, key: &str, value: Value) -> Result<()> {
        let mut seen = self.seen.lock();
        // Under the lock, so that the order of lines is the order of times.
        let time = u64::try_from(self.began.elapsed().as_nanos())?;
        let event = Event { process, kind, f, key: key.to_owned(), value, time };
        writeln!(seen.1, "{}", serde_json::to_string(&event)?)?;
        seen.0.push(event);
        Ok(())
    }

    pub(crate) fn invoke(&self, process: i64, f: &'static str, key: &str, value: Value) -> Result<()> {
        self.add(process, Kind::Invoke, f, key, value)
    }

    pub(crate) fn info(&self, process: i64, f: &'static str, key: &str) -> Result<()> {
        self.add(process, Kind::Info, f, key, Value::Null)
    }

    pub(crate) fn ok(&self, process: i64, f: &'static str, key: &str, value: Value) -> Result<()> {
        self.add(process, Kind::Ok, f, key, value)
    }

    /// An operation that was not acknowledged. A read that failed changed nothing.
    pub(crate) fn not_ok(&self, process: i64, f: &'static str, key: &str, error: &Error) -> Result<()> {
        let kind = if error.may_have_happened() { Kind::Info } else { Kind::Fail };
        self.add(process, kind, f, key, error.reason().into())
    }

    /// Everything on disk, and every event.
    pub(crate) fn close(&self) -> Result<Vec<Event>> {
        let mut seen = self.seen.lock();
        seen.1.flush()?;
        Ok(seen.0.clone())
    }
}
