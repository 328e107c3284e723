//! One run: a cluster is founded, lives through its faults, is healed, and must then serve and agree.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::sync::Arc;

use keeper_registry::Level;
use parking_lot::Mutex;

use crate::cluster::Cluster;
use crate::documents::Truth;
use crate::fault::{self, Fault, Nemesis};
use crate::invariant::{self, Watch};
use crate::node::SimNode;
use crate::rollout::Rollout;
use crate::workload::{Audit, CHANGE, audit};
use crate::world::{HostId, Trace};

/// Faults begin and end within this much time.
const CHAOS_MS: u64 = 22_000;

/// Clients go on for so long after the last fault.
const HEALED_MS: u64 = 3_000;

/// How long anything may take on a healed cluster: a watcher that finds itself on a node that was left out takes a
/// silence of fifteen seconds for a sign of that.
const PATIENCE_MS: u64 = 30_000;

/// Acknowledged operations of each kind that a run must have, or it proves nothing.
const ACKNOWLEDGED_MIN: [(&str, u64); 10] = [
    ("register", 80),
    ("unregister", 20),
    ("bind", 10),
    ("lookup", 200),
    ("replace", 10),
    ("scan", 5),
    ("presence", 20),
    ("watch", 10),
    ("connect", 3),
    (CHANGE, 2),
];

/// The same of documents with layers, where a run is of the level that has them from the start.
const DOCUMENTS_MIN: [(&str, u64); 8] = [
    ("publish-several", 3),
    ("rollback", 1),
    ("rollout", 3),
    ("promoted", 1),
    ("stopped", 1),
    ("take", 40),
    ("follow", 30),
    ("acknowledged", 20),
];

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which.
    pub seed: u64,
    /// Of the trace.
    pub digest: u64,
    /// Of the trace.
    pub lines: u64,
    /// How long it took, in the world's time.
    pub simulated_ms: u64,
    /// Entries of the log.
    pub revision: u64,
    /// Snapshots that followers took over.
    pub installed: u64,
    /// Members whose disk was lost that a leader replaced unasked.
    pub replaced: u64,
    /// Nodes that an upgrade took forward, and back.
    pub rolled: [u64; 2],
    /// Acknowledged, and not.
    pub operations: BTreeMap<&'static str, [u64; 2]>,
    /// Struck, and with an effect.
    pub faults: BTreeMap<Fault, [u64; 2]>,
    /// What must not be.
    pub violations: Vec<String>,
}

/// Panics of anything in this process.
#[derive(Debug, Clone, Default)]
pub struct Panics {
    seen: Arc<Mutex<Vec<String>>>,
}

impl Panics {
    /// From now on.
    #[must_use]
    pub fn catch() -> Self {
        let panics = Self::default();
        let seen = Arc::clone(&panics.seen);
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            seen.lock().push(format!("panic: {panic}"));
            tell(panic);
        }));
        panics
    }
}

/// Runs a seed.
///
/// # Errors
/// The machine cannot: no folder for snapshots.
pub fn run(seed: u64, panics: &Panics, copy: Option<File>) -> anyhow::Result<Report> {
    let trace = copy.map_or_else(Trace::default, Trace::copied_to);
    let cluster = Cluster::new(seed, trace.clone())?;
    let mut run = Run { cluster, watch: Watch::default(), nemesis: Nemesis::new(Vec::new()) };
    let mut violations: Vec<String> = run.live().err().into_iter().collect();
    let Run { mut cluster, watch, nemesis } = run;
    violations.extend(watch.violations);
    violations.append(&mut cluster.unexplained);
    violations.extend(panics.seen.lock().iter().cloned());
    let operations = cluster.history.with(|records| records.counts.clone());
    let installed = cluster.nodes.iter().map(SimNode::installed).sum();
    let replaced = cluster.nodes.iter().map(SimNode::replaced).sum();
    if violations.is_empty() {
        violations.extend(vacuous(&operations, &nemesis, installed, replaced));
        if cluster.rollout.is_none() {
            violations.extend(DOCUMENTS_MIN.iter().filter_map(|least| few(&operations, *least, 0)));
        }
    }
    let newest = cluster.nodes.iter().filter_map(SimNode::replica).map(|it| it.applied().0).max();
    let (digest, lines) = trace.digest();
    Ok(Report {
        seed,
        digest,
        lines,
        simulated_ms: cluster.world.now_ms(),
        revision: newest.unwrap_or(0),
        installed,
        replaced,
        rolled: cluster.rollout.as_ref().map_or([0; 2], |rollout| [rollout.forward, rollout.back]),
        operations,
        faults: nemesis.struck,
        violations,
    })
}

struct Run {
    cluster: Cluster,
    watch: Watch,
    nemesis: Nemesis,
}

impl Run {
    fn live(&mut self) -> Result<(), String> {
        let founder = self.cluster.found();
        self.until("the cluster is founded", |run| run.has_ended(founder))?;
        self.check_founded()?;
        self.cluster.start_all_clients();
        let from_ms = self.cluster.world.now_ms();
        let until_ms = from_ms + CHAOS_MS;
        self.nemesis = Nemesis::new(fault::schedule(self.cluster.world.rng(), from_ms, until_ms));
        while !self.nemesis.is_done() {
            self.nemesis.step(&mut self.cluster);
            self.step()?;
        }
        self.cluster.tell(format_args!("everything is healed"));
        let healed_ms = self.cluster.world.now_ms();
        while self.cluster.world.now_ms() < healed_ms + HEALED_MS {
            self.step()?;
        }
        self.cluster.history.end();
        self.until("all nodes are upgraded", |run| run.cluster.rollout.as_ref().is_none_or(Rollout::is_done))?;
        self.until("the level is raised", |run| run.cluster.level() == Level::NEWEST)?;
        self.until("all nodes run and agree", |run| Watch::has_converged(&run.cluster))?;
        let audit = self.audit()?;
        let judged = self.cluster.history.with(|records| invariant::judge(records, &audit));
        self.watch.violations.extend(judged);
        Ok(())
    }

    /// With a member of the release before, a cluster is founded at its level.
    fn check_founded(&mut self) -> Result<(), String> {
        let Cluster { world, rollout, .. } = &mut self.cluster;
        let Some(rollout) = rollout else { return Ok(()) };
        let now_ms = world.now_ms();
        rollout.begin(world.rng(), now_ms);
        let level = self.cluster.level();
        if level == Level::FIRST { Ok(()) } else { Err(format!("levels are read: founded at {level}, too early")) }
    }

    /// Audits until what clients hold is what is found: what they do when they are told to end takes a while.
    fn audit(&mut self) -> Result<Audit, String> {
        let deadline_ms = self.cluster.world.now_ms() + PATIENCE_MS;
        loop {
            let found = Arc::new(Mutex::new(None));
            let host = self.cluster.world.add_host("auditor");
            let client = self.cluster.client(host, "auditor".to_owned());
            let into = Arc::clone(&found);
            self.cluster.world.start(host, async move {
                *into.lock() = Some(audit(&client).await);
            });
            self.until("the audit ends", |run| run.has_ended(host))?;
            let audit = found.lock().take();
            let audit = audit.ok_or("the audit was lost")?.map_err(|error| format!("the healed cluster: {error:#}"))?;
            let audit = Audit { truth: self.truth()?, ..audit };
            let violations = self.cluster.history.with(|records| invariant::unsettled(records, &audit));
            let Some(first) = violations.into_iter().next() else { return Ok(audit) };
            if self.cluster.world.now_ms() > deadline_ms {
                return Err(format!("the healed cluster does not settle: {first}"));
            }
            let again_ms = self.cluster.world.now_ms() + HEALED_MS / 10;
            while self.cluster.world.now_ms() < again_ms {
                self.step()?;
            }
        }
    }

    /// What is published and rolled out, as whoever has applied most knows it.
    fn truth(&self) -> Result<Truth, String> {
        let replicas = self.cluster.nodes.iter().filter_map(SimNode::replica);
        let newest = replicas.max_by_key(|replica| replica.applied()).ok_or("no node runs")?;
        newest.read(Truth::of)
    }

    fn has_ended(&self, host: HostId) -> bool {
        !self.cluster.world.host(host).is_running()
    }

    fn step(&mut self) -> Result<(), String> {
        self.cluster.step();
        self.watch.look(&self.cluster);
        // The first is the one to look at; those after it follow from it.
        self.watch.violations.pop().map_or(Ok(()), Err)
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), String> {
        let deadline_ms = self.cluster.world.now_ms() + PATIENCE_MS;
        while !holds(self) {
            if self.cluster.world.now_ms() > deadline_ms {
                return Err(format!("waited {PATIENCE_MS} ms in vain until {what}"));
            }
            self.step()?;
        }
        Ok(())
    }
}

/// Why a run proves nothing.
fn vacuous(
    operations: &BTreeMap<&'static str, [u64; 2]>,
    nemesis: &Nemesis,
    installed: u64,
    replaced: u64,
) -> Vec<String> {
    let few = ACKNOWLEDGED_MIN.iter().filter_map(|least| {
        let unasked = if least.0 == CHANGE { replaced } else { 0 };
        few(operations, *least, unasked)
    });
    let idle = nemesis.struck.iter().filter(|(_, [_, effective])| *effective == 0);
    let idle = idle.map(|(fault, [struck, _])| format!("vacuous: {fault:?} struck {struck} times without effect"));
    let unlagged = nemesis.struck.contains_key(&Fault::Lag) && installed == 0;
    few.chain(idle).chain(unlagged.then(|| "vacuous: no follower needed a snapshot".to_owned())).collect()
}

/// Fewer of a kind than a run must have.
fn few(
    operations: &BTreeMap<&'static str, [u64; 2]>,
    (kind, least): (&'static str, u64),
    unasked: u64,
) -> Option<String> {
    let acknowledged = operations.get(kind).map_or(0, |it| it[0]) + unasked;
    (acknowledged < least).then(|| format!("vacuous: {acknowledged} of {least} {kind} operations"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, digest, lines, simulated_ms, revision, installed, replaced, rolled, .. } = self;
        let verdict = if self.violations.is_empty() { "ok" } else { "FAILED" };
        write!(f, "seed {seed} {verdict} digest {digest:016x} lines {lines} ms {simulated_ms} revision {revision} ")?;
        write!(f, "installed {installed} replaced {replaced} rolled {} back {}", rolled[0], rolled[1])?;
        for (kind, [done, not]) in &self.operations {
            write!(f, " {kind} {done}/{not}")?;
        }
        for (fault, [struck, effective]) in &self.faults {
            write!(f, " {fault:?} {effective}/{struck}")?;
        }
        Ok(())
    }
}
