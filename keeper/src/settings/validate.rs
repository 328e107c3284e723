//! From the file as written to settings that hold, or everything that is wrong with them at once.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use keeper_registry::Level;

use super::file::File;
use super::{Advertise, Exposure, Limits, Listen, PORT_BASE, Presence, Raft, Settings, Storage, Upgrade, Violation};
use crate::limits;

/// The cluster's name travels in every message between nodes and names directories of tools.
const CLUSTER_BYTES_MAX: usize = 64;
/// A heartbeat has to pass the disk and the network; more than a second apart, a dead leader would go unnoticed for
/// long.
const HEARTBEAT_MS: RangeInclusive<u64> = 10..=1_000;
/// Below twice the heartbeat a single late one would depose the leader.
const ELECTION_HEARTBEATS_MIN: u64 = 2;
/// A cluster that needs longer to notice a dead leader is not available in any useful sense.
const ELECTION_MS_MAX: u64 = 60_000;
/// From one small write buffer to what a node has no use for.
const MEMTABLE_BYTES: RangeInclusive<u64> = 4 << 20..=1 << 30;
/// Below a megabyte not even the entries that free space would fit.
const DISK_RESERVE_BYTES_MIN: u64 = 1 << 20;
/// The largest operation must fit a lane, and a lane must fit the memory of a small machine.
const LANE_BYTES: RangeInclusive<usize> = limits::COMMAND_BYTES_MAX..=1 << 30;
/// Each waiting proposal is a waiting client.
const LANE_PROPOSALS: RangeInclusive<usize> = 1..=1 << 20;
/// The largest lookup must fit, and what is under way must fit the memory of a large machine.
const LOOKUP_KEYS: RangeInclusive<usize> = limits::LOOKUP_KEYS_MAX..=1 << 24;
/// Each scan is a stream.
const SCANS: RangeInclusive<usize> = 1..=1 << 12;
/// Several messages at their largest, and what the memory of a large machine holds.
const CLIENT_BYTES: RangeInclusive<usize> = 4 * limits::MESSAGE_BYTES_MAX..=64 << 30;
/// The largest message must fit, and another one be under way.
const CONNECTION_BYTES: RangeInclusive<usize> = 2 * limits::MESSAGE_BYTES_MAX..=1 << 30;
/// Each connection is a file.
const CONNECTIONS: RangeInclusive<usize> = 1..=1 << 20;
/// From what a test needs to a day of a busy cluster.
const RING_FACTS: RangeInclusive<usize> = 1_024..=1 << 30;
/// The same in bytes, at about a hundred each.
const RING_BYTES: RangeInclusive<usize> = 128 << 10..=128 << 30;
/// Slower, and the sessions of a large gateway would take hours to go; faster than any log takes them.
const UPKEEP_ROWS: RangeInclusive<u32> = 1_000..=10_000_000;

impl File {
    pub(super) fn validate(self) -> Result<Settings, Vec<Violation>> {
        let mut found = Violations(Vec::new());
        let cluster = found.cluster(self.cluster);
        let node_id = found.node_id(self.node_id);
        let data_dir = found.data_dir(self.data_dir);
        let exposure = if self.allow_insecure { Exposure::Insecure } else { Exposure::Loopback };
        let default = Listen::loopback(PORT_BASE);
        let listen = Listen {
            client: found.address("listen.client", self.listen.client, default.client),
            peer: found.address("listen.peer", self.listen.peer, default.peer),
            http: found.address("listen.http", self.listen.http, default.http),
        };
        found.listen(&listen, exposure);
        let advertise = Advertise {
            client: found.endpoint("advertise.client", self.advertise.client, listen.client),
            peer: found.endpoint("advertise.peer", self.advertise.peer, listen.peer),
        };
        found.raft(&self.raft);
        found.storage(&self.storage);
        found.limits(&self.limits);
        found.presence(&self.presence);
        found.upgrade(&self.upgrade);
        if !found.0.is_empty() {
            return Err(found.0);
        }
        let Self { raft, storage, log, limits, presence, upgrade, secrets, .. } = self;
        Ok(Settings {
            cluster,
            node_id,
            data_dir,
            listen,
            advertise,
            exposure,
            raft,
            storage,
            log,
            limits,
            presence,
            upgrade,
            secrets,
        })
    }
}

/// What is wrong so far. A check that fails answers with a stand-in that is never used.
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, key: &'static str, message: impl Into<String>) {
        self.0.push(Violation { key, message: message.into() });
    }

    fn cluster(&mut self, name: Option<String>) -> String {
        let Some(name) = name else {
            self.add("cluster", "is missing: name the cluster, for example cluster = \"main\"");
            return String::new();
        };
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > CLUSTER_BYTES_MAX || !name.bytes().all(sound) {
            let right = format!("it must be 1 to {CLUSTER_BYTES_MAX} letters, digits, dots, underscores and dashes");
            self.add("cluster", format!("is {name:?}: {right}"));
        }
        name
    }

    fn node_id(&mut self, id: Option<u64>) -> Option<u64> {
        if id == Some(0) {
            self.add(
                "node_id",
                "is 0: node numbers begin at 1; leave it out on a node that is to be added to a cluster",
            );
        }
        id
    }

    fn data_dir(&mut self, path: Option<String>) -> PathBuf {
        match path.as_deref() {
            None => {
                self.add("data_dir", "is missing: name a directory of this node alone, for example \"/var/lib/keeper\"")
            }
            Some("") => self.add("data_dir", "is \"\": name a directory of this node alone"),
            Some(_) => {}
        }
        path.unwrap_or_default().into()
    }

    fn upgrade(&mut self, upgrade: &Upgrade) {
        let (first, newest) = (Level::FIRST.0, Level::NEWEST.0);
        if let Some(level) = upgrade.level_max.filter(|level| !(first..=newest).contains(level)) {
            self.add("upgrade.level_max", format!("is {level}: this keeper reads feature levels {first} to {newest}"));
        }
    }

    fn address(&mut self, key: &'static str, written: Option<String>, default: SocketAddr) -> SocketAddr {
        let Some(written) = written else { return default };
        written.parse().unwrap_or_else(|_| {
            self.add(key, format!("is {written:?}: it must be an IP address and a port, for example \"{default}\""));
            default
        })
    }

    fn listen(&mut self, listen: &Listen, exposure: Exposure) {
        let named = listen.named();
        for (index, (key, address)) in named.into_iter().enumerate() {
            if exposure == Exposure::Loopback && !address.ip().is_loopback() {
                self.add(
                    key,
                    format!(
                        "is {address}, reachable from other machines without TLS and authentication: \
                             use 127.0.0.1, or set allow_insecure = true if the network is trusted"
                    ),
                );
            }
            let taken = named[..index].iter().find(|(_, other)| *other == address && address.port() != 0);
            if let Some((other, _)) = taken {
                self.add(key, format!("is {address}, the same as {other}: give each listener its own port"));
            }
        }
    }

    fn endpoint(&mut self, key: &'static str, written: Option<String>, listen: SocketAddr) -> Option<String> {
        let Some(written) = written else {
            if listen.ip().is_unspecified() {
                self.add(
                    key,
                    format!("is missing: the node listens on {listen}, and others need a host name or address"),
                );
            }
            return None;
        };
        let sound = written.rsplit_once(':').is_some_and(|(host, port)| {
            let host_is_sound = !host.is_empty() && !host.contains(['/', '@', ' ', '\t']);
            let bracketed = host.starts_with('[') && host.ends_with(']');
            host_is_sound && (bracketed || !host.contains(':')) && port.parse::<u16>().is_ok_and(|port| port != 0)
        });
        if !sound {
            self.add(
                key,
                format!("is {written:?}: it must be host:port without a scheme, for example \"node1.example:7400\""),
            );
        }
        Some(written)
    }

    fn raft(&mut self, raft: &Raft) {
        let Raft { heartbeat_ms, election_min_ms, election_max_ms, .. } = *raft;
        self.range("raft.heartbeat_ms", heartbeat_ms, &HEARTBEAT_MS);
        let least = heartbeat_ms.saturating_mul(ELECTION_HEARTBEATS_MIN);
        if election_min_ms < least {
            let reason = format!("{ELECTION_HEARTBEATS_MIN} times raft.heartbeat_ms");
            self.add("raft.election_min_ms", format!("is {election_min_ms}: it must be at least {least}, {reason}"));
        }
        if election_max_ms <= election_min_ms || election_max_ms > ELECTION_MS_MAX {
            let right = format!("above raft.election_min_ms ({election_min_ms}) and at most {ELECTION_MS_MAX}");
            self.add("raft.election_max_ms", format!("is {election_max_ms}: it must be {right}"));
        }
        if raft.snapshot_log_bytes_min == 0 {
            self.add("raft.snapshot_log_bytes_min", "is 0: it must be at least 1");
        }
        if raft.snapshot_log_entries == Some(0) {
            self.add("raft.snapshot_log_entries", "is 0: it must be at least 1, or absent");
        }
    }

    fn storage(&mut self, storage: &Storage) {
        self.range("storage.memtable_bytes_max", storage.memtable_bytes_max, &MEMTABLE_BYTES);
        if storage.disk_reserve_bytes < DISK_RESERVE_BYTES_MIN {
            let written = storage.disk_reserve_bytes;
            self.add(
                "storage.disk_reserve_bytes",
                format!("is {written}: it must be at least {DISK_RESERVE_BYTES_MIN}"),
            );
        }
    }

    fn limits(&mut self, limits: &Limits) {
        self.range("limits.lane_bytes_max", limits.lane_bytes_max, &LANE_BYTES);
        self.range("limits.lane_proposals_max", limits.lane_proposals_max, &LANE_PROPOSALS);
        self.range("limits.gateway_bytes_max", limits.gateway_bytes_max, &LANE_BYTES);
        self.range("limits.gateway_proposals_max", limits.gateway_proposals_max, &LANE_PROPOSALS);
        self.range("limits.lookup_keys_max", limits.lookup_keys_max, &LOOKUP_KEYS);
        self.range("limits.scans_max", limits.scans_max, &SCANS);
        self.range("limits.upkeep_rows_per_second", limits.upkeep_rows_per_second, &UPKEEP_ROWS);
        self.range("limits.client_bytes_max", limits.client_bytes_max, &CLIENT_BYTES);
        self.range("limits.connection_bytes_max", limits.connection_bytes_max, &CONNECTION_BYTES);
        self.range("limits.connections_max", limits.connections_max, &CONNECTIONS);
        self.range("limits.address_connections_max", limits.address_connections_max, &CONNECTIONS);
    }

    fn presence(&mut self, presence: &Presence) {
        self.range("presence.ring_facts_max", presence.ring_facts_max, &RING_FACTS);
        self.range("presence.ring_bytes_max", presence.ring_bytes_max, &RING_BYTES);
    }

    fn range<N: PartialOrd + std::fmt::Display>(&mut self, key: &'static str, value: N, right: &RangeInclusive<N>) {
        if !right.contains(&value) {
            self.add(key, format!("is {value}: it must be {} to {}", right.start(), right.end()));
        }
    }
}
