//! The invariants of `SEMANTICS.md`, on a history alone: a saved one can be judged again, also by others.
//!
//! Each check is a pure function from operations to violations. Necessary conditions come first and explain best;
//! linearizability is decided by [`keeper_linearize`] and needs no further rule.

mod cas;
mod cluster;
mod config;
mod fields;
mod keys;
mod lease;
mod nemesis;
mod presence;
mod reflush;
mod register;
mod scan;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;

use crate::{
    history::Event,
    operation::{self, operations},
    workload::Workload,
};

pub(crate) use nemesis::vacuous;

/// An invariant that did not hold, and the lines of the history it follows from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<usize>,
    pub(crate) why: String,
}

impl Violation {
    pub(crate) fn new(name: &'static str, lines: impl IntoIterator<Item = usize>, why: String) -> Self {
        let mut lines: Vec<usize> = lines.into_iter().collect();
        lines.sort_unstable();
        lines.dedup();
        Self { name, lines, why }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.lines.iter().map(usize::to_string).collect();
        write!(formatter, "{} (lines {}): {}", self.name, lines.join(", "), self.why)
    }
}

/// Every violation; the one that the fewest lines explain comes first.
pub(crate) fn check(workload: Workload, events: &[Event]) -> Vec<Violation> {
    let mut violations = operation::malformed(events);
    let operations = operations(events);
    violations.extend(match workload {
        Workload::Register => register::check(&operations),
        Workload::Cas => cas::check(&operations),
        Workload::Watch => watch::check(&operations),
        Workload::Config => config::check(&operations),
        Workload::Lease => lease::check(&operations),
        Workload::Presence => presence::check(&operations),
        Workload::Scan => scan::check(&operations),
        Workload::Reflush => reflush::check(&operations),
    });
    violations.extend(cluster::check(events));
    violations.sort_by_key(|it| (it.lines.len(), it.lines.clone(), it.name));
    violations
}
