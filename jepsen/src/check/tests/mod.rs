//! Small histories, each with one thing wrong: a checker that finds nothing in them is worth nothing.

mod cluster;
mod config;
mod lease;
mod presence;
mod reflush;
mod scan;
mod state;
mod watch;

use serde_json::{Value, json};

use super::check;
use crate::{
    history::{Event, Kind, MONITOR},
    workload::Workload,
};

const SECOND: u64 = 1_000_000_000;

/// A history in the making. A line takes a second, unless [`at`](Story::at) says otherwise.
#[derive(Default, Clone)]
struct Story {
    events: Vec<Event>,
    time: u64,
}

impl Story {
    fn add(mut self, process: i64, kind: Kind, f: &'static str, key: &str, value: Value) -> Self {
        self.time += SECOND;
        self.events.push(Event { process, kind, f: f.into(), key: key.to_owned(), value, time: self.time });
        self
    }

    fn at(mut self, seconds: u64) -> Self {
        self.time = (seconds - 1) * SECOND;
        self
    }

    fn begin(self, process: i64, f: &'static str, key: &str, asked: Value) -> Self {
        self.add(process, Kind::Invoke, f, key, asked)
    }

    fn end(self, process: i64, f: &'static str, key: &str, answer: Value) -> Self {
        self.add(process, Kind::Ok, f, key, answer)
    }

    /// One operation after another.
    fn ok(self, f: &'static str, key: &str, asked: Value, answer: Value) -> Self {
        self.begin(0, f, key, asked).end(0, f, key, answer)
    }

    fn unknown(self, process: i64, f: &'static str, key: &str, asked: Value) -> Self {
        self.begin(process, f, key, asked).add(process, Kind::Info, f, key, json!("timeout"))
    }

    fn nodes(self, f: &'static str, key: &str, value: Value) -> Self {
        self.add(MONITOR, Kind::Info, f, key, value)
    }

    /// The names of the invariants that do not hold, each once.
    fn found(&self, workload: Workload) -> Vec<&'static str> {
        let mut names: Vec<_> = check(workload, &self.events).into_iter().map(|it| it.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[test]
fn a_history_that_is_none_is_refused() {
    let found = |story: Story| story.found(Workload::Cas);
    let read = || Story::default().begin(0, "read", "k", Value::Null);
    assert_eq!(found(read().begin(0, "read", "k", Value::Null)), ["H1"]);
    assert_eq!(found(Story::default().end(0, "read", "k", Value::Null)), ["H1"]);
    assert_eq!(
        found(Story::default().unknown(0, "write", "k", json!({ "number": 1 })).begin(0, "read", "k", Value::Null)),
        ["H1"]
    );
    assert_eq!(
        found(read().at(2).begin(1, "read", "k", Value::Null).at(1).end(
            0,
            "read",
            "k",
            json!({ "revision": 0, "number": null })
        )),
        ["H1"]
    );
}
