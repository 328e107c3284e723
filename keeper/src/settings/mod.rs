//! The daemon's settings: one TOML file, read once at the start.
//!
//! [`file`] is the file as written, where everything may be missing; [`Settings`] is what holds after
//! [`Settings::parse`]: complete, and every value within its bounds. Nothing after `main` meets an invalid setting. A
//! key that is not known is an error, because a misspelt key that is silently ignored is worse than a daemon that does
//! not start.
//!
//! `docs/configuration.md` describes every key; tests hold it to this module. Not built: settings from the environment
//! (except the log filter, `KEEPER_LOG`, and keys that nobody wants in a file, `KEEPER_SECRET_KEYS`), and reloading,
//! because most of these values cannot change while a node runs.

mod error;
mod file;
#[cfg(any(test, fuzzing))]
mod fuzz;
#[cfg(test)]
mod tests;
mod validate;

pub use error::{SettingsError, Violation};
#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::PROPERTIES as FUZZ;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use keeper_registry::PresenceLimits;
use serde::Deserialize;

use crate::limits;

/// The client port; the peer and the HTTP port follow it.
pub const PORT_BASE: u16 = 7_400;

/// Everything a node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The cluster's name: 1 to 64 of `[A-Za-z0-9._-]`.
    pub cluster: String,
    /// The number by which it is founded, from 1. A directory that has one already, and a node that joins, have theirs
    /// from elsewhere.
    pub node_id: Option<u64>,
    /// Where its data lies.
    pub data_dir: PathBuf,
    /// Where it listens.
    pub listen: Listen,
    /// Where others reach it.
    pub advertise: Advertise,
    /// Whether it may listen beyond loopback, without TLS and authentication.
    pub exposure: Exposure,
    /// Timings and thresholds of consensus.
    pub raft: Raft,
    /// The disk.
    pub storage: Storage,
    /// What it says.
    pub log: Log,
    /// What it admits.
    pub limits: Limits,
    /// How far back it can tell who came and who left.
    pub presence: Presence,
    /// How far its release may take it.
    pub upgrade: Upgrade,
    /// Secrets in documents.
    pub secrets: Secrets,
}

/// The listeners' addresses. Port 0 takes any free port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// `keeper.v1`, for clients.
    pub client: SocketAddr,
    /// `keeper.peer.v1`, for the other nodes.
    pub peer: SocketAddr,
    /// Metrics and health.
    pub http: SocketAddr,
}

/// Where others reach this node, as `host:port`; absent: where it listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advertise {
    /// For clients.
    pub client: Option<String>,
    /// For the other nodes.
    pub peer: Option<String>,
}

/// Who may reach the listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Programs of this machine.
    Loopback,
    /// Whoever the network lets through: `allow_insecure = true`.
    Insecure,
}

/// See the keys of the same names in `docs/configuration.md`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raft {
    /// Pause between heartbeats.
    pub heartbeat_ms: u64,
    /// Shortest election timeout.
    pub election_min_ms: u64,
    /// Longest election timeout.
    pub election_max_ms: u64,
    /// Log growth that makes a snapshot due.
    pub snapshot_log_bytes_min: u64,
    /// The same in entries; for tests.
    pub snapshot_log_entries: Option<u64>,
    /// Log kept behind a snapshot.
    pub log_keep_bytes: u64,
    /// The same in entries; the smaller of the two holds.
    pub log_keep_entries: u64,
    /// Whether a member whose directory is found empty is taken in anew.
    pub replace_wiped: bool,
}

/// See the keys of the same names in `docs/configuration.md`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Memory of all log memtables together.
    pub memtable_bytes_max: u64,
    /// Free space that growth never takes.
    pub disk_reserve_bytes: u64,
}

/// See the keys of the same names in `docs/configuration.md`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is worth a line.
    pub level: LogLevel,
    /// How a line looks.
    pub format: LogFormat,
}

/// What is worth a line in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What somebody must look at.
    Error,
    /// What somebody should know.
    Warn,
    /// What a node did.
    #[default]
    Info,
    /// Why it did that.
    Debug,
    /// Everything.
    Trace,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line, for machines.
    Json,
}

/// See the keys of the same names in `docs/configuration.md`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of proposals admitted and not yet answered, per lane.
    pub lane_bytes_max: usize,
    /// The same in proposals.
    pub lane_proposals_max: usize,
    /// Bytes of session writes admitted and not yet answered, per gateway.
    pub gateway_bytes_max: usize,
    /// The same in frames.
    pub gateway_proposals_max: usize,
    /// Keys and users of lookups under way.
    pub lookup_keys_max: usize,
    /// Scans open at once.
    pub scans_max: usize,
    /// Sessions that upkeep settles or ends, a second.
    pub upkeep_rows_per_second: u32,
    /// Bytes held for all clients: what came in part, and what they have not read.
    pub client_bytes_max: usize,
    /// The same for one connection.
    pub connection_bytes_max: usize,
    /// Client connections.
    pub connections_max: usize,
    /// The same from one address.
    pub address_connections_max: usize,
}

/// See the keys of the same names in `docs/configuration.md`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// The ring of keys that seal and open them.
    pub key_file: Option<PathBuf>,
    /// Whether whoever asks may see them.
    pub reveal: bool,
}

/// See the keys of the same names in `docs/configuration.md`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    /// Facts kept for subscribers that were away.
    pub ring_facts_max: usize,
    /// Bytes of them.
    pub ring_bytes_max: usize,
}

/// See the keys of the same names in `docs/configuration.md`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upgrade {
    /// The newest feature level this node reads, if not the newest of its binary.
    pub level_max: Option<u32>,
}

impl Settings {
    /// The defaults for a node: it listens on loopback.
    #[must_use]
    pub fn new(cluster: impl Into<String>, node_id: u64, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            cluster: cluster.into(),
            node_id: Some(node_id),
            data_dir: data_dir.into(),
            listen: Listen::loopback(PORT_BASE),
            advertise: Advertise::default(),
            exposure: Exposure::Loopback,
            raft: Raft::default(),
            storage: Storage::default(),
            log: Log::default(),
            limits: Limits::default(),
            presence: Presence::default(),
            upgrade: Upgrade::default(),
            secrets: Secrets::default(),
        }
    }

    /// Reads and validates a settings file.
    ///
    /// # Errors
    /// [`SettingsError`]: the file cannot be read, is not TOML of the right shape, or holds values that cannot be.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Validates the text of a settings file.
    ///
    /// # Errors
    /// Those of [`Settings::read`], without the first.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        file::File::parse(text)?.validate().map_err(SettingsError::Invalid)
    }

    /// What is allowed, and still worth a warning at every start.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let exposed = self.listen.named().into_iter().filter(|(_, address)| !address.ip().is_loopback());
        let warn = |(key, address): (&str, SocketAddr)| {
            format!("{key} = {address} is reachable from other machines, and there is no TLS and no authentication yet")
        };
        exposed.map(warn).collect()
    }
}

impl Listen {
    /// Three consecutive ports on loopback; three free ones if `port_base` is 0.
    #[must_use]
    pub const fn loopback(port_base: u16) -> Self {
        const fn at(base: u16, offset: u16) -> SocketAddr {
            let port = if base == 0 { 0 } else { base.saturating_add(offset) };
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
        }
        Self { client: at(port_base, 0), peer: at(port_base, 1), http: at(port_base, 2) }
    }

    /// Each address by its key.
    pub(crate) const fn named(&self) -> [(&'static str, SocketAddr); 3] {
        [("listen.client", self.client), ("listen.peer", self.peer), ("listen.http", self.http)]
    }
}

impl Default for Raft {
    fn default() -> Self {
        Self {
            heartbeat_ms: 100,
            election_min_ms: 350,
            election_max_ms: 600,
            snapshot_log_bytes_min: 64 << 20,
            snapshot_log_entries: None,
            log_keep_bytes: 32 << 20,
            log_keep_entries: 100_000,
            replace_wiped: true,
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { memtable_bytes_max: 32 << 20, disk_reserve_bytes: 64 << 20 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lane_bytes_max: limits::LANE_BYTES_MAX,
            lane_proposals_max: limits::LANE_PROPOSALS_MAX,
            gateway_bytes_max: limits::GATEWAY_BYTES_MAX,
            gateway_proposals_max: limits::GATEWAY_PROPOSALS_MAX,
            lookup_keys_max: limits::LOOKUP_KEYS_UNDER_WAY_MAX,
            scans_max: limits::SCANS_MAX,
            upkeep_rows_per_second: limits::UPKEEP_ROWS_PER_SECOND,
            client_bytes_max: limits::CLIENT_BYTES_MAX,
            connection_bytes_max: limits::CONNECTION_BYTES_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            address_connections_max: limits::ADDRESS_CONNECTIONS_MAX,
        }
    }
}

impl Default for Presence {
    fn default() -> Self {
        let PresenceLimits { facts, bytes } = PresenceLimits::default();
        Self { ring_facts_max: facts, ring_bytes_max: bytes }
    }
}

impl Presence {
    /// As the state wants them.
    #[must_use]
    pub const fn limits(&self) -> PresenceLimits {
        PresenceLimits { facts: self.ring_facts_max, bytes: self.ring_bytes_max }
    }
}

impl LogLevel {
    /// Its name in a log filter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
