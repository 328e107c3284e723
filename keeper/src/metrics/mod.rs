//! What a node counts.
//!
//! Every family is registered here, once, under a name that begins with `keeper_`; `docs/metrics.md` lists them, and a
//! test holds it to this file (`UPDATE=1` rewrites the table). A metric is a handle on atomics: whoever counts holds
//! [`Metrics`] and writes one field, no name is looked up and no lock is taken; histograms, which lock, are observed
//! per batch, sync or snapshot and never per operation. Gauges of a node's state are set when it changes.
//!
//! Deliberately absent: labels with values from outside (users, services, paths). A scrape must not grow with the load.

mod label;
#[cfg(test)]
mod tests;

pub use label::{Applied, By, Consistency, Gatekeeper, Judgement, Kind, Label, Lane, Listener, Outcome};

use std::sync::atomic::AtomicU64;

use label::{Labels, labels, member};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// A gauge of something that is counted.
pub type Level = Gauge<u64, AtomicU64>;

/// Every metric of a node.
#[derive(Debug)]
pub struct Metrics {
    /// The current term.
    pub raft_term: Level,
    /// 1 while this node leads.
    pub raft_is_leader: Level,
    /// 1 while this node knows a leader.
    pub raft_has_leader: Level,
    /// How often the known leader changed.
    pub raft_leader_changes: Counter,
    /// Index of the last entry in the log.
    pub raft_last_log_index: Level,
    /// Index of the last committed entry known here.
    pub raft_committed_index: Level,
    /// Index of the last applied entry: the state's revision.
    pub raft_applied_index: Level,
    /// Index of the last entry in a snapshot.
    pub raft_snapshot_index: Level,
    /// Sessions of open incarnations.
    pub sessions_live: Level,
    /// Sessions that linger, and rows of closed incarnations that wait to be settled.
    pub sessions_to_sweep: Level,
    /// Kicks by selector that are under way.
    pub kicks_under_way: Level,
    /// How far a rebuild is, in thousandths; 1,000 when the registry is whole.
    pub rebuild_done_permille: Level,
    /// Open instances.
    pub instances_open: Level,
    /// Published documents.
    pub configs: Level,
    /// Proposals answered.
    pub proposals: By<Lane, By<Outcome, Counter>>,
    /// Requests refused because something was full.
    pub refused: By<Gatekeeper, Counter>,
    /// Bytes admitted and not yet answered.
    pub lane_bytes: By<Lane, Level>,
    /// Open connections.
    pub connections: By<Listener, Level>,
    /// Bytes held for clients: what came in part, and what they have not read.
    pub client_bytes: Level,
    /// Operations of one proposed entry.
    pub batch_operations: Histogram,
    /// Bytes of one proposed entry.
    pub batch_bytes: Histogram,
    /// From proposing an entry to its outcome.
    pub batch_seconds: Histogram,
    /// One write and sync of the log.
    pub log_sync_seconds: Histogram,
    /// Bytes written to the log.
    pub log_bytes: Counter,
    /// Keys and users looked up.
    pub lookups: By<Consistency, Counter>,
    /// Rounds that confirmed a read, each shared by all that waited.
    pub read_index_rounds: Counter,
    /// Open watch streams.
    pub watchers: By<Kind, Level>,
    /// Watches that had to begin again: with the full set, or with a scan.
    pub watch_resets: By<Kind, Counter>,
    /// Effective documents told to followers.
    pub follow_documents_told: Counter,
    /// Publishes judged, dry runs and rollouts among them.
    pub publishes_judged: By<Judgement, Counter>,
    /// Judging one publish.
    pub judge_seconds: Histogram,
    /// Acknowledgements heard by this node while it led.
    pub acknowledgements: By<Applied, Counter>,
    /// Acknowledgements in the leader's memory.
    pub acknowledgements_kept: Level,
    /// Rollouts that are not finished, on the leader.
    pub rollouts_under_way: Level,
    /// Stages that passed by themselves.
    pub rollout_stages_passed: Counter,
    /// Rollouts stopped because of what instances said.
    pub rollouts_stopped: Counter,
    /// Facts in the ring that presence is read from.
    pub presence_facts: Level,
    /// Bytes they take.
    pub presence_bytes: Level,
    /// How far back they reach.
    pub presence_reach_seconds: Level,
    /// Facts told to subscribers.
    pub presence_facts_told: Counter,
    /// Renewals acknowledged.
    pub lease_renewals: Counter,
    /// Incarnations closed because their lease ran out.
    pub lease_expired: Counter,
    /// Building one snapshot.
    pub snapshot_seconds: Histogram,
    /// Size of the last snapshot.
    pub snapshot_bytes: Level,
    /// Snapshots received and installed.
    pub snapshots_installed: Counter,
    /// Members taken in anew because their directory was empty.
    pub members_replaced: Counter,
    /// Free space where the data lies.
    pub disk_free_bytes: Level,
    /// Below which nothing grows.
    pub disk_needed_bytes: Level,
    /// 1 while this node leads and refuses growth.
    pub disk_short: Level,
    /// Replicas that differ, as the leader knows; 1 on one that does.
    pub replica_diverged: Level,
    /// The cluster's feature level.
    pub feature_level: Level,
    /// The newest that this node reads.
    pub feature_level_max: Level,
}

impl Metrics {
    /// Registers every family.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("keeper_build", "The running version", version);
        let into = &mut Families(registry);
        Self {
            raft_term: into.level("raft_term", "The current term"),
            raft_is_leader: into.level("raft_is_leader", "1 while this node leads and a quorum answers it"),
            raft_has_leader: into.level("raft_has_leader", "1 while this node hears a leader that a quorum answers"),
            raft_leader_changes: into.counter("raft_leader_changes", "How often the known leader changed"),
            raft_last_log_index: into.level("raft_last_log_index", "Index of the last entry in the log"),
            raft_committed_index: into.level("raft_committed_index", "Index of the last entry known to be committed"),
            raft_applied_index: into.level("raft_applied_index", "Index of the last applied entry"),
            raft_snapshot_index: into.level("raft_snapshot_index", "Index of the last entry in the newest snapshot"),
            sessions_live: into.level("sessions_live", "Sessions of open incarnations"),
            sessions_to_sweep: into
                .level("sessions_to_sweep", "Sessions that linger, and rows of closed instances still to be settled"),
            kicks_under_way: into.level("kicks_under_way", "Kicks by selector under way"),
            rebuild_done_permille: into
                .level("rebuild_done_permille", "How far a rebuild is, in thousandths; 1,000 when whole"),
            instances_open: into.level("instances_open", "Open instances"),
            configs: into.level("configs", "Published config documents"),
            proposals: into.proposals("proposals", "Proposals answered, by lane and what they came to"),
            refused: into.counters("refused", "Requests refused because a lane was full, or a gateway's share of it"),
            lane_bytes: into.levels("lane_bytes", "Bytes of proposals admitted and not yet answered"),
            connections: into.levels("connections", "Open connections"),
            client_bytes: into.level("client_bytes", "Bytes held for clients: what came in part or is not read yet"),
            batch_operations: into.sizes("batch_operations", "Operations of one proposed entry", 1.0),
            batch_bytes: into.sizes("batch_bytes", "Bytes of one proposed entry", 64.0),
            batch_seconds: into.times("batch_seconds", "From proposing an entry to its outcome"),
            log_sync_seconds: into.times("log_sync_seconds", "One write and sync of the log"),
            log_bytes: into.counter("log_bytes", "Bytes written to the log"),
            lookups: into.counters("lookups", "Keys and users looked up, by consistency"),
            read_index_rounds: into
                .counter("read_index_rounds", "Rounds that confirmed reads, each for all that waited"),
            watchers: into.levels("watchers", "Open watch streams"),
            watch_resets: into.counters("watch_resets", "Watches that began again with the full set, or with a scan"),
            follow_documents_told: into
                .counter("follow_documents_told", "Effective config documents told, each once a follower"),
            publishes_judged: into.counters("publishes_judged", "Publishes judged, dry runs and rollouts too"),
            judge_seconds: into.times("judge_seconds", "Judging one publish"),
            acknowledgements: into.counters("acknowledgements", "Acknowledgements of documents that this leader heard"),
            acknowledgements_kept: into
                .level("acknowledgements_kept", "Acknowledgements that this leader keeps, one a document and instance"),
            rollouts_under_way: into.level("rollouts_under_way", "Rollouts under way, on the leader"),
            rollout_stages_passed: into
                .counter("rollout_stages_passed", "Stages that this leader saw pass, promotions among them"),
            rollouts_stopped: into
                .counter("rollouts_stopped", "Rollouts that this leader stopped because of what instances said"),
            presence_facts: into.level("presence_facts", "Presence facts kept for subscribers that were away"),
            presence_bytes: into.level("presence_bytes", "Bytes of the presence facts kept"),
            presence_reach_seconds: into.level("presence_reach_seconds", "How far back the presence facts kept reach"),
            presence_facts_told: into.counter("presence_facts_told", "Presence facts told, each once a subscriber"),
            lease_renewals: into.counter("lease_renewals", "Lease renewals acknowledged"),
            lease_expired: into.counter("lease_expired", "Incarnations closed because their lease ran out"),
            snapshot_seconds: into.times("snapshot_seconds", "Building one snapshot"),
            snapshot_bytes: into.level("snapshot_bytes", "Size of the newest snapshot"),
            snapshots_installed: into.counter("snapshots_installed", "Snapshots received and installed"),
            members_replaced: into
                .counter("members_replaced", "Members taken in anew because their directory was empty"),
            disk_free_bytes: into.level("disk_free_bytes", "Free space where the data lies"),
            disk_needed_bytes: into.level("disk_needed_bytes", "Free space below which nothing grows"),
            disk_short: into
                .level("disk_short", "1 while this node leads and takes nothing new, for want of disk space"),
            replica_diverged: into
                .level("replica_diverged", "Replicas that differ: known to the leader, and to the one that does"),
            feature_level: into.level("feature_level", "The feature level of the cluster"),
            feature_level_max: into.level("feature_level_max", "The newest feature level that this node reads"),
        }
    }
}

/// Names and registers.
struct Families<'a>(&'a mut Registry);

impl Families<'_> {
    fn add(&mut self, name: &str, help: &str, metric: impl prometheus_client::registry::Metric + Clone) {
        self.0.register(format!("keeper_{name}"), help, metric);
    }

    fn level(&mut self, name: &str, help: &str) -> Level {
        let metric = Level::default();
        self.add(name, help, metric.clone());
        metric
    }

    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let metric = Counter::default();
        self.add(name, help, metric.clone());
        metric
    }

    fn levels<L: Label>(&mut self, name: &str, help: &str) -> By<L, Level> {
        let family = Family::<Labels, Level>::default();
        self.add(name, help, family.clone());
        By::new(|value: &L| member(&family, vec![labels(*value)]))
    }

    fn counters<L: Label>(&mut self, name: &str, help: &str) -> By<L, Counter> {
        let family = Family::<Labels, Counter>::default();
        self.add(name, help, family.clone());
        By::new(|value: &L| member(&family, vec![labels(*value)]))
    }

    fn proposals(&mut self, name: &str, help: &str) -> By<Lane, By<Outcome, Counter>> {
        let family = Family::<Labels, Counter>::default();
        self.add(name, help, family.clone());
        By::new(|lane: &Lane| By::new(|outcome: &Outcome| member(&family, vec![labels(*lane), labels(*outcome)])))
    }

    /// 10 buckets, each four times the last.
    fn sizes(&mut self, name: &str, help: &str, smallest: f64) -> Histogram {
        let metric = Histogram::new(exponential_buckets(smallest, 4.0, 10));
        self.add(name, help, metric.clone());
        metric
    }

    /// From 0.1 ms to 26 s, each bucket twice the last.
    fn times(&mut self, name: &str, help: &str) -> Histogram {
        let metric = Histogram::new(exponential_buckets(0.000_1, 2.0, 19));
        self.add(name, help, metric.clone());
        metric
    }
}
