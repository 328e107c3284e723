//! What a run came to: told, and kept in a file, a line a run.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::{
    check::Violation,
    failover::{failovers_ms, median},
    history::{Event, Kind, NEMESIS},
    nemesis::Fault,
    run::{Order, Verdict},
    tally::counted,
};

/// Violations that are told; the first is the one that the fewest lines explain.
const TOLD_MAX: usize = 5;

/// Every invariant held.
pub(crate) const HELD: &str = "held";

/// One did not.
pub(crate) const VIOLATED: &str = "violated";

/// A disk with less than this is full to the last byte; what is left is what no file system gives away.
const LAST_BYTES: u64 = 1 << 20;

/// A run, as the file keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Of the daemon's binary.
    pub(crate) build: String,
    pub(crate) workload: String,
    pub(crate) nemesis: Vec<String>,
    pub(crate) nodes: usize,
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    /// Acknowledged.
    pub(crate) operations: usize,
    pub(crate) unknown: usize,
    /// By class.
    pub(crate) faults: BTreeMap<String, usize>,
    pub(crate) failovers_ms: Vec<u64>,
    /// [`HELD`], [`VIOLATED`], or why the run proves nothing.
    pub(crate) outcome: String,
}

impl Kept {
    pub(crate) fn new(build: &str, order: &Order, ended: &Result<Verdict>) -> Self {
        let outcome = match ended {
            Ok(verdict) if !verdict.violations.is_empty() => VIOLATED.to_owned(),
            Ok(verdict) if !verdict.missing.is_empty() => format!("void: {}", verdict.missing.join("; ")),
            Ok(_) => HELD.to_owned(),
            Err(error) => format!("no run: {error:#}"),
        };
        let events = ended.as_ref().map_or(&[][..], |verdict| &verdict.events);
        Self {
            build: build.to_owned(),
            workload: order.workload.name().to_owned(),
            nemesis: order.faults.iter().map(|fault| fault.name().to_owned()).collect(),
            nodes: order.nodes,
            seed: order.seed,
            seconds: order.seconds,
            operations: count(events, Kind::Ok),
            unknown: count(events, Kind::Info),
            faults: faults(events),
            failovers_ms: failovers_ms(events),
            outcome,
        }
    }

    pub(crate) fn has_proven(&self) -> bool {
        [HELD, VIOLATED].contains(&&*self.outcome)
    }

    pub(crate) fn is_of(&self, build: &str, order: &Order) -> bool {
        let nemesis = order.faults.iter().map(|fault| fault.name());
        self.build == build
            && self.workload == order.workload.name()
            && self.seed == order.seed
            && self.seconds == order.seconds
            && self.nodes == order.nodes
            && self.nemesis.iter().map(String::as_str).eq(nemesis)
    }
}

fn count(events: &[Event], kind: Kind) -> usize {
    events.iter().filter(|it| it.process >= 0 && it.kind == kind).count()
}

/// How often each class of faults was made.
fn faults(events: &[Event]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for class in events.iter().filter(|it| it.process == NEMESIS).filter_map(class) {
        *counts.entry(class).or_default() += 1;
    }
    counts
}

/// The kind of a fault and whom it hit, or how; none of what ends a fault.
fn class(event: &Event) -> Option<String> {
    let names = |fault: &Fault| fault.name() == event.f;
    let fault = Fault::value_variants().iter().copied().find(names)?;
    let how = event.value["how"].as_str().unwrap_or_default();
    Some(match fault {
        Fault::Kill | Fault::Power | Fault::Partition => format!("{} {}", event.f, event.key),
        Fault::Pause if event.value["is_long"] == true => format!("pause {}, longer than a lease", event.key),
        Fault::Pause => format!("pause {}", event.key),
        Fault::Clock | Fault::Disk | Fault::Damage | Fault::Membership => format!("{} {how}", event.f),
        Fault::Full if event.value["free_bytes"].as_u64() < Some(LAST_BYTES) => "full to the last byte".to_owned(),
        Fault::Full => "full within the reserve".to_owned(),
        Fault::Packets | Fault::Rolling | Fault::Transfer | Fault::Upgrade => event.f.to_string(),
    })
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
    let faults = counted(&faults(&verdict.events));
    let (workload, seed, path) = (order.workload.name(), order.seed, order.history.display());
    let told = told(&verdict.violations);
    let nodes = order.nodes;
    let failovers = failovers_ms(&verdict.events);
    let of = failovers.len();
    let failover = median(failovers).map(|ms| format!("; leader killed to next write: median {ms} ms of {of}"));
    format!(
        "{workload} seed {seed}, {nodes} nodes: {ok} acknowledged, {unknown} unknown; faults: {faults}{}; history in \
         {path}\n{told}",
        failover.unwrap_or_default()
    )
}

pub(crate) fn told(violations: &[Violation]) -> String {
    if violations.is_empty() {
        return "every invariant held".to_owned();
    }
    let first: Vec<String> = violations.iter().take(TOLD_MAX).map(ToString::to_string).collect();
    format!("{} violations, the shortest first:\n{}", violations.len(), first.join("\n"))
}
