//! The harness finds what is planted. `docs/reliability.md` says by which seed and which invariant; this is the proof.
//!
//! The disk's bugs are sought on every change, among a few seeds from the one of the table: which of them finds one may
//! change with the daemon, that one does must not. Those of the daemon need the extra build, and there the table is
//! taken by its word: `make planted`, and `make planted UPDATE=1` seeks anew, by the same invariants, and rewrites the
//! seeds.

use std::ops::Range;
use std::path::Path;
use std::{env, fs};

use keeper_sim::planted::Planted;
use keeper_sim::runner::{Plan, Rounds, run};

/// Runs at once: these tests share the machine with others.
const PARALLEL: usize = 2;

/// How many seeds one more than the table's may be tried.
const SEEDS_MAX: u64 = 12;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reliability.md");

/// A line of the table.
struct Row<'a> {
    line: &'a str,
    name: &'a str,
    invariant: &'a str,
    seed: u64,
}

/// The lines of the table, by the name of the bug in backticks.
fn rows(page: &str) -> Vec<Row<'_>> {
    let row = |line| {
        let cells: Vec<&str> = str::split(line, '|').map(str::trim).collect();
        let [_, name, _, invariant, seed, _] = cells[..] else { return None };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        Some(Row { line, name, invariant, seed: seed.parse().ok()? })
    };
    page.lines().filter_map(row).collect()
}

/// What the first run said that found the bug.
fn seek(row: &Row<'_>, seeds: Range<u64>) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_keeper-sim"));
    let planted = Some(Planted::parse(row.name).expect("the bug is in this build"));
    let plan = Plan { program, seeds: seeds.clone(), parallel: PARALLEL, rounds: Rounds::Once, planted, results: None };
    let mut told = Vec::new();
    let outcome = run(&plan, |line| told.push(line.to_owned())).expect("seeds are run");
    outcome.found.unwrap_or_else(|| panic!("{} was not found by {seeds:?}:\n{}", row.name, told.join("\n")))
}

fn seed_of(said: &str) -> u64 {
    said.split(' ').nth(1).and_then(|seed| seed.parse().ok()).expect("a run names its seed")
}

#[test]
fn the_table_names_every_bug() {
    let page = fs::read_to_string(PAGE).expect("the page is there");
    let mut named: Vec<_> = rows(&page).iter().map(|row| row.name).collect();
    let mut all: Vec<_> = Planted::names().collect();
    named.sort_unstable();
    all.sort_unstable();
    assert_eq!(named, all);
}

#[test]
fn every_bug_of_this_build_is_found() {
    let page = fs::read_to_string(PAGE).expect("the page is there");
    let is_update = cfg!(feature = "planted") && env::var("UPDATE").is_ok_and(|value| value == "1");
    let mut rewritten = page.clone();
    for row in rows(&page).iter().filter(|row| Planted::parse(row.name).is_ok()) {
        let Row { line, name, invariant, seed } = row;
        let (from, to) = match (cfg!(feature = "planted"), is_update) {
            (true, true) => (0, SEEDS_MAX * 4),
            (true, false) => (*seed, seed + 1),
            (false, _) => (*seed, seed + SEEDS_MAX),
        };
        let (mut said, is_as_told) = (seek(row, from..to), |said: &str| said.contains(&format!("{invariant}: ")));
        while is_update && !is_as_told(&said) {
            said = seek(row, seed_of(&said) + 1..to);
        }
        let found = seed_of(&said);
        assert!(is_as_told(&said) || found != *seed, "{name} was found, but not by {invariant}:\n{said}");
        rewritten = rewritten.replace(*line, &line.replace(&format!("| {seed} |"), &format!("| {found} |")));
        println!("{name}: seed {found}");
    }
    if is_update {
        fs::write(PAGE, rewritten).expect("the page can be written");
    }
}

/// The marks by which `tidy` knows that a binary holds no bug are in one that does.
#[cfg(feature = "planted")]
#[test]
fn a_binary_with_bugs_shows_their_marks() {
    let binary = fs::read(env!("CARGO_BIN_EXE_keeper-sim")).expect("the binary is there");
    let marks = Planted::names().filter(|name| !["ack-before-sync", "vote-forgotten", "append-torn"].contains(name));
    for mark in marks.map(|name| format!("planted-bug:{name}")) {
        assert!(binary.windows(mark.len()).any(|it| it == mark.as_bytes()), "{mark} is nowhere");
    }
}
