//! The fields of every workload's line, against the contract that tools read.

use std::collections::BTreeSet;

use crate::workload::{
    Workload, applied::Applied, documents::Documents, expire::Expire, failover::Failover, footprint::Footprint,
    limits::Limits, lookup::Lookup, lookup_many::LookupMany, mixed::ByKind, mixed::Mixed, presence::Presence,
    publish::Publish, register::Register, restart::Restart, scan::Scan, storm::Storm, watch::Watch,
};

use super::*;

/// What every line has, in its order.
const EVERY: &str = "system version workload nodes seconds errors server_cpu_s client_cpu_s rss_bytes fsync";

/// What each workload adds, in its order.
const FIELDS: [(&str, &str); 16] = [
    ("register", "callers ops_per_s p50_us p99_us max_us"),
    ("lookup", "callers consistency sessions ops_per_s p50_us p99_us max_us"),
    ("lookup-many", "batch consistency ops_per_s"),
    ("watch", "watchers value_bytes updates p50_us p99_us max_us missed duplicates bytes_per_watcher"),
    ("publish", "callers ops_per_s p50_us p99_us"),
    ("applied", "readers value_bytes publishes p50_us p99_us max_us bytes_per_reader"),
    (
        "documents",
        "documents value_bytes restart_ms effective_p50_us effective_p99_us publish_p50_us_new \
         publish_p50_us_with_past",
    ),
    (
        "expire",
        "sessions ttl_ms invisible_after_ttl_ms reaped_after_ttl_ms others_p99_us_before others_p99_us_during \
         others_max_us_before others_max_us_during",
    ),
    (
        "storm",
        "gateways sessions ops_per_s seconds_to_all healthy_leases_lost config_p99_us_before config_p99_us_during \
         lookup_p99_us_during",
    ),
    ("mixed", "online_users register_per_s unregister_per_s lookup_per_s p50_us p99_us max_us"),
    ("presence", "subscribers events_per_s p99_us missed duplicates bytes_per_subscriber"),
    ("scan", "sessions parts sessions_per_s missed duplicates"),
    (
        "footprint",
        "sessions rss_bytes_per_session disk_bytes_per_session snapshot_ms others_p99_us_before_snapshot \
         others_p99_us_during_snapshot",
    ),
    ("restart", "sessions ms"),
    ("failover", "gap_ms runs"),
    ("limits", "name ops_per_s p50_us p99_us"),
];

const COST: Cost = Cost { seconds: 10.000_4, server_cpu_s: Some(1.5), client_cpu_s: 0.25, rss_bytes: Some(1 << 20) };

fn line<F: Figures>(figures: F) -> String {
    serde_json::to_string(&Row::of("1.2.3", 3, &COST, 0, figures)).unwrap()
}

fn register() -> Register {
    Register { callers: 1_024, ops_per_s: 61_234.567, p50_us: 900, p99_us: 4_100, max_us: 12_345 }
}

fn watch() -> Watch {
    Watch {
        watchers: 1,
        value_bytes: 2_048,
        updates: 1,
        p50_us: 1,
        p99_us: 1,
        max_us: 1,
        missed: 0,
        duplicates: 0,
        bytes_per_watcher: None,
    }
}

fn applied() -> Applied {
    Applied { readers: 1, value_bytes: 2_048, publishes: 1, p50_us: 1, p99_us: 1, max_us: 1, bytes_per_reader: None }
}

fn documents() -> Documents {
    Documents {
        documents: 1,
        value_bytes: 4_096,
        restart_ms: 1.0,
        effective_p50_us: 1,
        effective_p99_us: 1,
        publish_p50_us_new: 1,
        publish_p50_us_with_past: 1,
    }
}

fn footprint() -> Footprint {
    Footprint {
        sessions: 1,
        rss_bytes_per_session: None,
        disk_bytes_per_session: None,
        snapshot_ms: None,
        others_p99_us_before_snapshot: None,
        others_p99_us_during_snapshot: None,
    }
}

fn lines() -> Vec<String> {
    let consistency = "local";
    let lookup = Lookup { callers: 1, consistency, sessions: 5, ops_per_s: 1.0, p50_us: 1, p99_us: 1, max_us: 1 };
    let expire = Expire {
        sessions: 1,
        ttl_ms: 3_000,
        invisible_after_ttl_ms: 1.0,
        reaped_after_ttl_ms: None,
        others_p99_us_before: 1,
        others_p99_us_during: 1,
        others_max_us_before: 1,
        others_max_us_during: 1,
    };
    let storm = Storm {
        gateways: 10,
        sessions: 1,
        ops_per_s: 1.0,
        seconds_to_all: 1.0,
        healthy_leases_lost: 0,
        config_p99_us_before: 1,
        config_p99_us_during: 1,
        lookup_p99_us_during: 1,
    };
    let by_kind = || ByKind { register: 1, unregister: 1, lookup: 1 };
    let mixed = Mixed {
        online_users: 1_000,
        register_per_s: 1,
        unregister_per_s: 1,
        lookup_per_s: 1,
        p50_us: by_kind(),
        p99_us: by_kind(),
        max_us: by_kind(),
    };
    let presence =
        Presence { subscribers: 1, events_per_s: 1.0, p99_us: 1, missed: 0, duplicates: 0, bytes_per_subscriber: None };
    vec![
        line(register()),
        line(lookup),
        line(LookupMany { batch: 256, consistency, ops_per_s: 1.0 }),
        line(watch()),
        line(Publish { callers: 16, ops_per_s: 1.0, p50_us: 1, p99_us: 1 }),
        line(applied()),
        line(documents()),
        line(expire),
        line(storm),
        line(mixed),
        line(presence),
        line(Scan { sessions: 1, parts: 1, sessions_per_s: 1.0, missed: 0, duplicates: 0 }),
        line(footprint()),
        line(Restart { sessions: 1, ms: 1.0 }),
        line(Failover { gap_ms: 1.0, runs: 5 }),
        line(Limits { name: "tcp_ping", ops_per_s: 1.0, p50_us: 1, p99_us: 1 }),
    ]
}

#[test]
fn every_line_has_the_fields_of_the_contract() {
    let contract: Vec<(&str, Vec<&str>)> = FIELDS
        .iter()
        .map(|(workload, own)| (*workload, EVERY.split(' ').chain(own.split_whitespace()).collect()))
        .collect();
    for (line, (workload, fields)) in lines().iter().zip(&contract) {
        let Cells(cells) = serde_json::from_str(line).unwrap();
        let names: Vec<&str> = cells.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, *fields, "{workload}");
        assert_eq!(cells[2].1, *workload);
    }
}

#[test]
fn every_workload_is_in_the_contract() {
    let contract: BTreeSet<&str> = FIELDS.iter().map(|(workload, _)| *workload).collect();
    let known: BTreeSet<&str> = Workload::all().into_iter().map(Workload::name).collect();
    assert_eq!(known, contract);
    for workload in Workload::all() {
        let typed = clap::ValueEnum::to_possible_value(&workload).map(|it| it.get_name().to_owned());
        assert_eq!(typed.as_deref(), Some(workload.name()));
    }
}

#[test]
fn a_line_is_one_object() {
    let expected = "{\"system\":\"keeper\",\"version\":\"1.2.3\",\"workload\":\"register\",\"nodes\":3,\"seconds\":10.0,\
                    \"errors\":0,\"server_cpu_s\":1.5,\"client_cpu_s\":0.25,\"rss_bytes\":1048576,\"fsync\":true,\
                    \"callers\":1024,\"ops_per_s\":61234.567,\"p50_us\":900,\"p99_us\":4100,\"max_us\":12345}";
    assert_eq!(line(register()), expected);
}

#[test]
fn what_processes_did_not_tell_is_null() {
    let unknown = Cost { server_cpu_s: None, rss_bytes: None, ..COST };
    let row = Row::of("1.2.3", 3, &unknown, 0, register());
    let value: Value = serde_json::to_value(&row).unwrap();
    assert!(value["server_cpu_s"].is_null() && value["rss_bytes"].is_null());
}

#[test]
fn a_table_holds_what_the_lines_hold() {
    let cells: Vec<Cells> = [line(register())].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = table(&cells);
    let row = |at: usize| -> Vec<String> {
        let line = text.lines().nth(at).unwrap_or_default().trim_matches('│').trim();
        line.split("   ").map(str::trim).filter(|cell| !cell.is_empty()).map(ToOwned::to_owned).collect()
    };
    let names = ["callers", "ops per s", "p50 us", "p99 us", "max us"];
    let costs = ["seconds", "errors", "server cpu s", "client cpu s", "rss bytes"];
    assert_eq!(row(1), [names, costs].concat(), "{text}");
    let values = ["1,024", "61,235", "900", "4,100", "12,345", "10", "0", "1.5", "0.25", "1,048,576"];
    assert_eq!(row(3), values, "{text}");
}

#[test]
fn numbers_are_grouped() {
    for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
        assert_eq!(grouped(number), text);
    }
}
