//! Who may depend on whom. The tables are complete: what is not written here is refused.

use crate::{
    Finding,
    source::{Source, is_name},
};

/// The crates of the workspace, and the ones each may name.
const CRATES: [(&str, &[&str]); 12] = [
    ("keeper-registry", &[]),
    ("keeper-proto", &[]),
    ("keeper", &["keeper-registry", "keeper-proto"]),
    ("keeper-client-sdk", &["keeper-proto"]),
    ("keeperctl", &["keeper-client-sdk"]),
    ("keeper-push", &["keeper-client-sdk"]),
    ("keeper-tests", &["keeper", "keeper-client-sdk", "keeper-registry", "keeper-proto"]),
    ("keeper-linearize", &[]),
    ("keeper-sim", &["keeper", "keeper-client-sdk", "keeper-linearize", "keeper-registry"]),
    ("keeper-jepsen", &["keeper-client-sdk", "keeper-linearize"]),
    ("keeper-bench", &["keeper-client-sdk"]),
    ("keeper-fuzz", &["keeper", "keeper-client-sdk"]),
];

/// What the pure state may name beyond the workspace: containers, a hash, derived errors; no runtime, no clock, no
/// chance.
const STATE_NEEDS: [&str; 5] = ["bytes", "hashbrown", "smallvec", "thiserror", "xxhash-rust"];

/// The modules of the daemon, top to bottom, and the ones each may import beside [`BASE`].
const MODULES: [(&str, &[&str]); 20] = [
    ("main", &["cli", "http", "node"]),
    ("fuzz", &["backup", "rpc", "raft", "store"]),
    ("cli", &["backup", "http", "node", "store"]),
    (
        "node",
        &[
            "acks", "backup", "rpc", "rollout", "http", "lease", "members", "propose", "publish", "upgrade", "view",
            "watch", "raft", "replica", "store",
        ],
    ),
    ("rpc", &["acks", "backup", "lease", "members", "propose", "publish", "rollout", "upgrade", "view", "watch"]),
    ("http", &[]),
    ("lease", &["propose", "view", "watch", "raft", "replica"]),
    ("members", &["propose", "raft", "replica"]),
    ("rollout", &["acks", "propose", "publish", "raft", "replica"]),
    ("acks", &["raft", "replica"]),
    ("backup", &["view", "raft", "replica", "store"]),
    ("upgrade", &["propose", "raft"]),
    ("publish", &["propose", "view", "raft"]),
    ("propose", &["raft", "replica"]),
    ("view", &["raft", "replica"]),
    ("watch", &["view", "raft", "replica"]),
    ("raft", &["replica", "store"]),
    ("replica", &[]),
    ("store", &[]),
    ("lib", &[]),
];

/// Modules below all others; they may import each other.
const BASE: [&str; 13] = [
    "batch", "clock", "codec", "config", "format", "govern", "levels", "limits", "merged", "metrics", "policy",
    "problem", "settings",
];

/// Engines, and the one folder that sees each.
const ENGINES: [(&str, &str); 5] = [
    ("openraft", "keeper/src/raft/"),
    ("openraft_rt", "keeper/src/raft/"),
    ("openraft_rt_tokio", "keeper/src/raft/"),
    ("rocksdb", "keeper/src/store/"),
    ("bincode", "keeper/src/codec/"),
];

/// What would make two replicas differ.
const IMPURE: [&str; 11] = [
    "std::time",
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::thread",
    "std::process",
    "async fn",
    "async move",
    "HashMap::iter",
    "RandomState",
];

/// Reads `[dependencies]` and `[dev-dependencies]` of one manifest.
pub(crate) fn between_crates(path: &str, manifest: &str) -> Vec<Finding> {
    if path == "Cargo.toml" {
        return Vec::new();
    }
    let name =
        manifest.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap_or_default().trim_end_matches('"');
    let Some((_, allowed)) = CRATES.iter().find(|(it, _)| *it == name) else {
        return vec![format!("{path}: crate {name:?} is not in the table of arrows")];
    };
    let mut findings = Vec::new();
    let mut section = "";
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            continue;
        }
        let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if dependency.is_empty() || line.starts_with('#') || !section.ends_with("dependencies") {
            continue;
        }
        let member = CRATES.iter().any(|(it, _)| *it == dependency);
        if member && !allowed.contains(&dependency) && dependency != name {
            findings.push(format!("{path}: {name} must not see {dependency}"));
        }
        if name == "keeper-registry" && section == "dependencies" && !STATE_NEEDS.contains(&dependency) {
            findings.push(format!("{path}: the state is pure and must not need {dependency}"));
        }
    }
    findings
}

/// Reads `crate::module` and `use crate::{module, ..}` within `keeper/src`.
pub(crate) fn between_modules(source: &Source) -> Vec<Finding> {
    let Some(inside) = source.path.strip_prefix("keeper/src/") else { return Vec::new() };
    let module = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let allowed = match MODULES.iter().find(|(it, _)| *it == module) {
        Some((_, allowed)) => *allowed,
        None if BASE.contains(&module) => &[],
        None => return vec![format!("{}: module `{module}` is not in the table of arrows", source.path)],
    };
    let roots = ["crate::", "keeper::"].into_iter().flat_map(|root| source.words(root).map(move |at| at + root.len()));
    let imports = roots.flat_map(|at| imported(&source.code[at..]).map(move |name| (at, name)));
    imports
        .filter(|(_, name)| MODULES.iter().any(|(it, _)| it == name))
        .filter(|(at, name)| *name != module && !allowed.contains(name) && !source.is_test(*at))
        .map(|(at, name)| format!("{}: `{module}` must not see `{name}`", source.at(at)))
        .collect()
}

/// The first names of a path, or of each path in the braces.
fn imported(rest: &str) -> impl Iterator<Item = &str> {
    let (group, single) = match rest.strip_prefix('{') {
        Some(group) => (&group[..closing(group)], ""),
        None => ("", &rest[..rest.find(|symbol| !is_name(symbol)).unwrap_or(rest.len())]),
    };
    let mut depth = 0;
    let parts = group.split(move |symbol| {
        match symbol {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        symbol == ',' && depth == 0
    });
    let firsts = parts.map(|part| {
        let part = part.trim();
        &part[..part.find(|symbol| !is_name(symbol)).unwrap_or(part.len())]
    });
    firsts.chain([single]).filter(|name| !name.is_empty())
}

fn closing(group: &str) -> usize {
    let mut depth = 1;
    let end = group.find(|symbol| {
        match symbol {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    end.unwrap_or(group.len())
}

pub(crate) fn to_engines(source: &Source) -> Vec<Finding> {
    let in_tests = |at| source.path.starts_with("keeper/tests/") || source.is_test(at);
    let mut findings = Vec::new();
    for (engine, home) in ENGINES {
        let path = format!("{engine}::");
        let seen = source.words(&path).filter(|at| !source.path.starts_with(home) && !in_tests(*at));
        findings.extend(seen.map(|at| format!("{}: only {home} sees {engine}", source.at(at))));
    }
    findings
}

pub(crate) fn out_of_the_state(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("registry/src/") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for word in IMPURE {
        let seen = source.words(word).filter(|at| !source.is_test(*at));
        findings.extend(seen.map(|at| format!("{}: the state is pure: no `{word}`", source.at(at))));
    }
    findings
}

#[test]
fn a_crate_against_the_arrows_is_found() {
    let manifest = "[package]\nname = \"keeperctl\"\n[dependencies]\nkeeper.workspace = true\nclap.workspace = true\n";
    assert_eq!(
        between_crates("keeperctl/Cargo.toml", manifest),
        ["keeperctl/Cargo.toml: keeperctl must not see keeper"]
    );
    let stray = between_crates("x/Cargo.toml", "[package]\nname = \"x\"\n");
    assert_eq!(stray, ["x/Cargo.toml: crate \"x\" is not in the table of arrows"]);
    let state = "[package]\nname = \"keeper-registry\"\n[dependencies]\nbytes = \"1\"\ntokio.workspace = true\n";
    assert_eq!(between_crates("r/Cargo.toml", state), ["r/Cargo.toml: the state is pure and must not need tokio"]);
}

#[test]
fn a_module_against_the_arrows_is_found() {
    let code = "use crate::{\n    codec::{self, raft},\n    raft::RaftHandle,\n};\nfn a() { crate::store::open() }";
    assert_eq!(
        between_modules(&Source::new("keeper/src/rpc/a.rs", code)),
        ["keeper/src/rpc/a.rs:1: `rpc` must not see `raft`", "keeper/src/rpc/a.rs:5: `rpc` must not see `store`",]
    );
    assert_eq!(between_modules(&Source::new("keeper/src/clock.rs", "use crate::node::Node;")).len(), 1);
    assert_eq!(between_modules(&Source::new("keeper/src/raft/a.rs", code)), [""; 0]);
    assert_eq!(between_modules(&Source::new("keeper/src/novel/a.rs", "")).len(), 1);
}

#[test]
fn an_engine_out_of_its_home_is_found() {
    let code = "use rocksdb::DB;\nfn a(raft: openraft::Raft) {}";
    assert_eq!(
        to_engines(&Source::new("keeper/src/store/a.rs", code)),
        ["keeper/src/store/a.rs:2: only keeper/src/raft/ sees openraft"]
    );
    assert_eq!(to_engines(&Source::new("keeper/src/node/a.rs", code)).len(), 2);
    assert_eq!(to_engines(&Source::new("keeper/tests/a.rs", code)), [""; 0]);
}

#[test]
fn an_impure_state_is_found() {
    let code = "use std::time::Instant;\nfn a() {}";
    let found = out_of_the_state(&Source::new("registry/src/a.rs", code));
    assert_eq!(found, ["registry/src/a.rs:1: the state is pure: no `std::time`"]);
    assert_eq!(out_of_the_state(&Source::new("keeper/src/a.rs", code)), [""; 0]);
}
