//! What operators are given to watch a cluster with, against what a node shows: an alert on a metric that nobody shows
//! never fires.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use keeper_tests::InProcess;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const RULES: &str = include_str!("../../../deploy/prometheus/keeper.rules.yml");
const RULES_TEST: &str = include_str!("../../../deploy/prometheus/keeper.test.yml");
const DASHBOARD: &str = include_str!("../../../deploy/grafana/keeper.json");
const OPERATIONS: &str = include_str!("../../../docs/operations.md");
const METRICS: &str = include_str!("../../../docs/metrics.md");

async fn scrape(http: SocketAddr) -> String {
    let mut stream = TcpStream::connect(http).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The names of the samples in a scrape.
fn exported(scrape: &str) -> BTreeSet<&str> {
    let samples = scrape.lines().filter(|line| line.starts_with("keeper_"));
    samples.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

/// Every metric that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let is_name = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_';
    let words = text.split(|symbol| !is_name(symbol));
    words.filter(|word| word.starts_with("keeper_") && word.len() > "keeper_".len()).collect()
}

fn alerts() -> impl Iterator<Item = &'static str> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- alert: "))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_operators_are_told_of_is_shown_by_a_node() {
    let cluster = InProcess::start(1).await;
    let scrape = scrape(cluster.node(0).addresses().http).await;
    let exported = exported(&scrape);
    assert!(exported.contains("keeper_raft_is_leader") && exported.contains("keeper_log_sync_seconds_bucket"));
    for (file, text) in [("the rules", RULES), ("the dashboard", DASHBOARD)] {
        let named = named(text);
        assert!(!named.is_empty(), "{file}");
        let unknown: Vec<_> = named.difference(&exported).collect();
        assert!(unknown.is_empty(), "{file}: no node shows {unknown:?}");
    }
    // Of a histogram the pages name the family.
    let documented = named(METRICS);
    let told = named(OPERATIONS);
    let unknown: Vec<_> = told.difference(&documented).filter(|name| !exported.contains(*name)).collect();
    assert!(unknown.is_empty(), "docs/operations.md: no node shows {unknown:?}");
    let family =
        |name: &str| ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end).map(str::to_owned));
    let is_documented =
        |name: &&str| documented.contains(*name) || family(name).is_some_and(|it| documented.contains(&*it));
    let silent: Vec<_> = exported.iter().filter(|name| !is_documented(name)).collect();
    assert!(silent.is_empty(), "docs/metrics.md does not name {silent:?}");
}

#[test]
fn a_metric_that_nobody_shows_is_found() {
    let exported = exported("# HELP keeper_gone It\nkeeper_lane_bytes{lane=\"a\"} 1\nkeeper_raft_term 7\n");
    assert_eq!(exported, BTreeSet::from(["keeper_lane_bytes", "keeper_raft_term"]));
    let named = named("expr: rate(keeper_gone_total[5m]) > keeper_raft_term{job=\"keeper\"}");
    assert_eq!(named.difference(&exported).collect::<Vec<_>>(), [&"keeper_gone_total"]);
}

#[test]
fn every_alert_leads_to_its_row_and_is_seen_to_fire() {
    assert!(alerts().count() >= 10);
    let rows = RULES.lines().filter_map(|line| line.trim().strip_prefix("row: docs/operations.md#"));
    assert_eq!(rows.clone().count(), alerts().count(), "each alert names its row");
    for row in rows {
        assert!(OPERATIONS.contains(&format!("| <a id=\"{row}\"></a>")), "docs/operations.md has no row {row}");
    }
    for alert in alerts() {
        assert!(OPERATIONS.contains(&format!("`{alert}`")), "docs/operations.md does not name {alert}");
        let fires = RULES_TEST.lines().filter(|line| line.contains(alert) && !line.contains("eval_time: 90m }"));
        assert!(fires.count() > 0, "keeper.test.yml never makes {alert} fire");
    }
}
