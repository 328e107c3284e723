//! Bad settings and their exact answers; `docs/configuration.md` against the keys that exist.

use std::collections::BTreeSet;

use super::{Exposure, Settings};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md"));
const LEAST: &str = "cluster = \"main\"\nnode_id = 1\ndata_dir = \"/var/lib/keeper\"\n";

fn refusal(text: &str) -> String {
    Settings::parse(text).map_or_else(|error| error.to_string(), |settings| format!("accepted: {settings:?}"))
}

#[test]
fn three_keys_suffice() {
    assert_eq!(Settings::parse(LEAST).ok(), Some(Settings::new("main", 1, "/var/lib/keeper")));
}

fn with(rest: &str) -> String {
    format!("{LEAST}{rest}")
}

#[test]
fn bad_keys_and_types_are_answered_exactly() {
    let cases = [
        (
            String::new(),
            "cluster is missing: name the cluster, for example cluster = \"main\"\ndata_dir is missing: name a directory of this node alone, for example \"/var/lib/keeper\"",
        ),
        (
            "cluster = \"a b\"\nnode_id = 0\ndata_dir = \"\"\n".into(),
            "cluster is \"a b\": it must be 1 to 64 letters, digits, dots, underscores and dashes\nnode_id is 0: node numbers begin at 1; leave it out on a node that is to be added to a cluster\ndata_dir is \"\": name a directory of this node alone",
        ),
        (with("nodeid = 2\n"), "line 4, column 1: unknown key `nodeid`: did you mean `node_id`?"),
        (
            with("[listen]\nhttp = \"127.0.0.1:1\"\n clint = \"127.0.0.1:2\"\n"),
            "line 6, column 2: unknown key `clint` in [listen]: did you mean `client`?",
        ),
        (
            with("[log]\ncolour = true\n"),
            "line 5, column 1: unknown key `colour` in [log]: the keys there are level, format",
        ),
        (
            with("[tls]\n"),
            "line 4, column 2: unknown key `tls`: the keys there are cluster, node_id, data_dir, allow_insecure, listen, advertise, raft, storage, log, limits, presence, upgrade, secrets",
        ),
        (with("node_id = 2\n"), "line 4, column 1: the key `node_id` is given twice"),
        ("cluster = main\n".into(), "line 1, column 11: string values must be quoted, expected literal string"),
        ("node_id = \"1\"\n".into(), "line 1, column 11: invalid type: string \"1\", expected u64"),
        ("node_id = -1\n".into(), "line 1, column 11: invalid value: integer `-1`, expected u64"),
        (
            with("[log]\nlevel = \"loud\"\n"),
            "line 5, column 9: unknown variant `loud`, expected one of `error`, `warn`, `info`, `debug`, `trace`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(&text), expected, "\n{text}");
    }
}

#[test]
fn bad_values_are_answered_exactly() {
    let cases = [
        (
            with("[listen]\nclient = \"localhost\"\n"),
            "listen.client is \"localhost\": it must be an IP address and a port, for example \"127.0.0.1:7400\"",
        ),
        (
            with("[listen]\npeer = \"10.0.0.1:7401\"\n"),
            "listen.peer is 10.0.0.1:7401, reachable from other machines without TLS and authentication: use 127.0.0.1, or set allow_insecure = true if the network is trusted",
        ),
        (
            with("[listen]\npeer = \"127.0.0.1:7400\"\n"),
            "listen.peer is 127.0.0.1:7400, the same as listen.client: give each listener its own port",
        ),
        (
            with("allow_insecure = true\n[listen]\npeer = \"0.0.0.0:7401\"\n"),
            "advertise.peer is missing: the node listens on 0.0.0.0:7401, and others need a host name or address",
        ),
        (
            with("[advertise]\nclient = \"http://node1:7400\"\npeer = \"node1\"\n"),
            "advertise.client is \"http://node1:7400\": it must be host:port without a scheme, for example \"node1.example:7400\"\nadvertise.peer is \"node1\": it must be host:port without a scheme, for example \"node1.example:7400\"",
        ),
        (
            with("[raft]\nheartbeat_ms = 5\nelection_min_ms = 9\nelection_max_ms = 9\n"),
            "raft.heartbeat_ms is 5: it must be 10 to 1000\nraft.election_min_ms is 9: it must be at least 10, 2 times raft.heartbeat_ms\nraft.election_max_ms is 9: it must be above raft.election_min_ms (9) and at most 60000",
        ),
        (
            with("[raft]\nsnapshot_log_bytes_min = 0\nsnapshot_log_entries = 0\n"),
            "raft.snapshot_log_bytes_min is 0: it must be at least 1\nraft.snapshot_log_entries is 0: it must be at least 1, or absent",
        ),
        (
            with("[storage]\nmemtable_bytes_max = 1\ndisk_reserve_bytes = 0\n"),
            "storage.memtable_bytes_max is 1: it must be 4194304 to 1073741824\nstorage.disk_reserve_bytes is 0: it must be at least 1048576",
        ),
        (
            with("[limits]\nupkeep_rows_per_second = 10\n"),
            "limits.upkeep_rows_per_second is 10: it must be 1000 to 10000000",
        ),
        (
            with(
                "[limits]\nclient_bytes_max = 1\nconnection_bytes_max = 1\nconnections_max = 0\naddress_connections_max = 0\n",
            ),
            "limits.client_bytes_max is 1: it must be 16777216 to 68719476736\nlimits.connection_bytes_max is 1: it must be 8388608 to 1073741824\nlimits.connections_max is 0: it must be 1 to 1048576\nlimits.address_connections_max is 0: it must be 1 to 1048576",
        ),
        (
            with("[limits]\nlane_bytes_max = 1\nlane_proposals_max = 0\n"),
            "limits.lane_bytes_max is 1: it must be 3145728 to 1073741824\nlimits.lane_proposals_max is 0: it must be 1 to 1048576",
        ),
        (
            with(
                "[limits]\ngateway_bytes_max = 1\nlookup_keys_max = 1\nscans_max = 0\n[presence]\nring_facts_max = 1\nring_bytes_max = 1\n",
            ),
            "limits.gateway_bytes_max is 1: it must be 3145728 to 1073741824\nlimits.lookup_keys_max is 1: it must be 1024 to 16777216\nlimits.scans_max is 0: it must be 1 to 4096\npresence.ring_facts_max is 1: it must be 1024 to 1073741824\npresence.ring_bytes_max is 1: it must be 131072 to 137438953472",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(&text), expected, "\n{text}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Settings::read("/nowhere/keeper.toml".as_ref()).expect_err("there is no such file");
    assert_eq!(error.to_string(), "the settings file /nowhere/keeper.toml cannot be read");
}

#[test]
fn an_exposed_listener_warns() {
    let text = format!("{LEAST}allow_insecure = true\n[listen]\npeer = \"10.0.0.1:7401\"\n");
    let settings = Settings::parse(&text).expect("it is allowed");
    assert_eq!(settings.exposure, Exposure::Insecure);
    let expected =
        "listen.peer = 10.0.0.1:7401 is reachable from other machines, and there is no TLS and no authentication yet";
    assert_eq!(settings.warnings(), [expected]);
    assert!(Settings::new("main", 1, "/tmp").warnings().is_empty());
}

/// Every key that the settings have, learned from the refusal of one they do not have.
fn keys() -> BTreeSet<String> {
    let of = |table: &str| {
        let text = if table.is_empty() { "\"~~~\" = 1".to_owned() } else { format!("[{table}]\n\"~~~\" = 1") };
        let refused = refusal(&text);
        let list = refused.split("the keys there are ").nth(1).unwrap_or_else(|| panic!("{refused}")).to_owned();
        list.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    let tables = ["listen", "advertise", "raft", "storage", "log", "limits", "presence", "upgrade", "secrets"];
    let top = of("").into_iter().filter(|key| !tables.contains(&key.as_str()));
    let inner = tables.into_iter().flat_map(|table| of(table).into_iter().map(move |key| format!("{table}.{key}")));
    top.chain(inner).collect()
}

/// Rows of the document's tables: key and default.
fn documented() -> Vec<(String, String)> {
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let cells: Vec<_> = line.strip_prefix("| `")?.split('|').collect();
        Some((cell(cells[0]), cell(cells.get(1)?)))
    };
    DOCUMENT.lines().filter_map(row).collect()
}

#[test]
fn every_key_is_documented_and_every_documented_key_exists() {
    let documented: BTreeSet<_> = documented().into_iter().map(|(key, _)| key).collect();
    assert_eq!(documented, keys());
}

#[test]
fn documented_defaults_are_the_defaults() {
    let defaults = Settings::parse(LEAST).expect("the least settings");
    for (key, default) in documented() {
        if default == "required" || default == "none" {
            continue;
        }
        let text = match key.split_once('.') {
            Some((table, key)) => format!("{LEAST}[{table}]\n{key} = {default}\n"),
            None => format!("{LEAST}{key} = {default}\n"),
        };
        assert_eq!(Settings::parse(&text).ok().as_ref(), Some(&defaults), "{text}");
    }
}

#[test]
fn the_examples_in_the_document_are_sound() {
    let examples: Vec<_> = DOCUMENT.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        assert!(Settings::parse(example).is_ok(), "{}\n{example}", refusal(example));
    }
}
