//! `docs/metrics.md` against what a scrape shows.

use std::collections::BTreeMap;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::{Consistency, Kind, Lane, Metrics, Outcome};

const BEGIN: &str = "|---|---|---|---|\n";

fn scrape(registry: &Registry) -> String {
    let mut text = String::new();
    encode(&mut text, registry).expect("writing to memory succeeds");
    text
}

#[test]
fn counting_shows_in_a_scrape() {
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    metrics.proposals.of(Lane::Config).of(Outcome::Rejected).inc();
    metrics.lookups.of(Consistency::Local).inc_by(7);
    metrics.watchers.of(Kind::Notice).inc();
    metrics.raft_term.set(u64::MAX);
    metrics.log_sync_seconds.observe(0.000_15);
    let text = scrape(&registry);
    for line in [
        r#"keeper_proposals_total{lane="config",outcome="rejected"} 1"#,
        r#"keeper_proposals_total{lane="session",outcome="done"} 0"#,
        r#"keeper_lookups_total{consistency="local"} 7"#,
        r#"keeper_watchers{kind="notice"} 1"#,
        r#"keeper_raft_term 18446744073709551615"#,
        r#"keeper_log_sync_seconds_bucket{le="0.0001"} 0"#,
        r#"keeper_log_sync_seconds_bucket{le="0.0002"} 1"#,
        concat!(r#"keeper_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""} 1"#),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

/// One row for each family: name as in a scrape, type, labels, help.
fn table() -> String {
    let mut registry = Registry::default();
    let _metrics = Metrics::register(&mut registry);
    let text = scrape(&registry);
    let mut help = BTreeMap::new();
    let mut rows = String::new();
    for line in text.lines() {
        if let Some((name, words)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.insert(name, words);
        }
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else { continue };
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let sample = text.lines().find(|line| line.starts_with(&format!("{name}{suffix}{{")));
        let labels: Vec<_> = sample.map_or_else(Vec::new, |line| {
            let inner = line.split(['{', '}']).nth(1).unwrap_or_default();
            inner.split(',').filter_map(|pair| Some(format!("`{}`", pair.split_once('=')?.0))).collect()
        });
        rows += &format!("| `{name}{suffix}` | {kind} | {} | {} |\n", labels.join(", "), help.get(name).unwrap_or(&""));
    }
    rows
}

#[test]
fn every_metric_is_documented() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let document = std::fs::read_to_string(file).expect("docs/metrics.md is there");
    let (head, rest) = document.split_once(BEGIN).expect("docs/metrics.md has the table");
    let rows: String = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).collect();
    if std::env::var_os("UPDATE").is_some() {
        let tail = &rest[rows.len()..];
        std::fs::write(file, format!("{head}{BEGIN}{}{tail}", table())).expect("docs/metrics.md is writable");
        return;
    }
    assert!(rows == table(), "docs/metrics.md differs; UPDATE=1 rewrites its table\n{}", table());
}
