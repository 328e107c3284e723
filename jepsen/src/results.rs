//! What a run came to: told, and kept in a file, a line a run.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::{
    check::Violation,
    history::{Event, Kind, NEMESIS},
    run::{Order, Verdict},
};

/// Violations that are told; the first is the one that the fewest lines explain.
const TOLD_MAX: usize = 5;

/// A run, as the file keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Of the daemon's binary.
    pub(crate) build: String,
    pub(crate) workload: String,
    pub(crate) nemesis: Vec<String>,
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    /// Acknowledged.
    pub(crate) operations: usize,
    pub(crate) unknown: usize,
    pub(crate) faults: BTreeMap<String, usize>,
    /// `held`, `violated`, or why there was no run.
    pub(crate) outcome: String,
}

impl Kept {
    pub(crate) fn new(build: &str, order: &Order, ended: &Result<Verdict>) -> Self {
        let outcome = match ended {
            Ok(verdict) if !verdict.violations.is_empty() => "violated".to_owned(),
            Ok(verdict) if !verdict.missing.is_empty() => format!("vacuous: {}", verdict.missing.join("; ")),
            Ok(_) => "held".to_owned(),
            Err(error) => format!("no run: {error:#}"),
        };
        let events = ended.as_ref().map_or(&[][..], |verdict| &verdict.events);
        Self {
            build: build.to_owned(),
            workload: order.workload.name().to_owned(),
            nemesis: order.faults.iter().map(|fault| fault.name().to_owned()).collect(),
            seed: order.seed,
            seconds: order.seconds,
            operations: count(events, Kind::Ok),
            unknown: count(events, Kind::Info),
            faults: faults(events),
            outcome,
        }
    }

    pub(crate) fn is_of(&self, build: &str, order: &Order) -> bool {
        let nemesis = order.faults.iter().map(|fault| fault.name());
        self.build == build
            && self.workload == order.workload.name()
            && self.seed == order.seed
            && self.nemesis.iter().map(String::as_str).eq(nemesis)
    }
}

fn count(events: &[Event], kind: Kind) -> usize {
    events.iter().filter(|it| it.process >= 0 && it.kind == kind).count()
}

fn faults(events: &[Event]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events.iter().filter(|it| it.process == NEMESIS) {
        // What ends a fault is none.
        if !matches!(
            &*event.f,
            "arm" | "start" | "resume" | "join" | "calm" | "relieved" | "heal" | "found" | "retired"
        ) {
            *counts.entry(event.f.to_string()).or_default() += 1;
        }
    }
    counts
}

/// Every run that is kept; none when there is no file.
pub(crate) fn read(path: &Path) -> Result<Vec<Kept>> {
    let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
    let lines = text.lines().enumerate();
    let kept =
        |(at, line)| serde_json::from_str(line).with_context(|| format!("{}:{} is no result", path.display(), at + 1));
    lines.map(kept).collect()
}

pub(crate) fn append(path: &Path, kept: &Kept) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    writeln!(file, "{}", serde_json::to_string(kept)?).with_context(|| format!("{}", path.display()))
}

/// A run in a few lines.
pub(crate) fn summary(order: &Order, verdict: &Verdict) -> String {
    let (ok, unknown) = (count(&verdict.events, Kind::Ok), count(&verdict.events, Kind::Info));
    let faults: Vec<String> = faults(&verdict.events).iter().map(|(name, count)| format!("{count} {name}")).collect();
    let (workload, seed, path) = (order.workload.name(), order.seed, order.history.display());
    let told = told(&verdict.violations);
    let faults = if faults.is_empty() { "none".to_owned() } else { faults.join(", ") };
    format!("{workload} seed {seed}: {ok} acknowledged, {unknown} unknown; faults: {faults}; history in {path}\n{told}")
}

pub(crate) fn told(violations: &[Violation]) -> String {
    if violations.is_empty() {
        return "every invariant held".to_owned();
    }
    let first: Vec<String> = violations.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    format!("{} violations, the shortest first:\n{}", violations.len(), first.join("\n"))
}
