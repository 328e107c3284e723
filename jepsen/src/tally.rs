//! What the runs of a results file came to, together.

use std::{collections::BTreeMap, fmt};

use crate::{
    failover::median,
    results::{HELD, Kept, VIOLATED},
};

/// Sums over runs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    runs: usize,
    /// Of faults, not of starting and ending.
    seconds: u64,
    violated: usize,
    /// They proved nothing, and are done again.
    void: usize,
    unknown: usize,
    /// By workload.
    acknowledged: BTreeMap<String, usize>,
    /// By class.
    faults: BTreeMap<String, usize>,
    failovers_ms: Vec<u64>,
}

impl Tally {
    pub(crate) fn of<'a>(runs: impl IntoIterator<Item = &'a Kept>) -> Self {
        let mut tally = Self::default();
        for run in runs {
            match &*run.outcome {
                HELD => {}
                VIOLATED => tally.violated += 1,
                _ => {
                    tally.void += 1;
                    continue;
                }
            }
            tally.runs += 1;
            tally.seconds += run.seconds;
            tally.unknown += run.unknown;
            *tally.acknowledged.entry(run.workload.clone()).or_default() += run.operations;
            for (class, count) in &run.faults {
                *tally.faults.entry(class.clone()).or_default() += count;
            }
            tally.failovers_ms.extend(&run.failovers_ms);
        }
        tally
    }

    pub(crate) const fn violated(&self) -> usize {
        self.violated
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, seconds, violated, void, unknown, .. } = self;
        let (minutes, tenths) = (seconds / 60, seconds % 60 / 6);
        writeln!(
            formatter,
            "{runs} runs, {minutes}.{tenths} minutes of faults: {violated} violated; {void} void beside"
        )?;
        let all: usize = self.acknowledged.values().sum();
        let by_workload = counted(&self.acknowledged);
        writeln!(formatter, "operations: {all} acknowledged ({by_workload}), {unknown} of unknown outcome")?;
        let all: usize = self.faults.values().sum();
        write!(formatter, "faults: {all} ({})", counted(&self.faults))?;
        if let Some(median) = median(self.failovers_ms.clone()) {
            let count = self.failovers_ms.len();
            write!(
                formatter,
                "\nfrom a leader's kill -9 to the next acknowledged write: median {median} ms of {count}"
            )?;
        }
        Ok(())
    }
}

/// `3 these, 1 that`.
pub(crate) fn counted(counts: &BTreeMap<String, usize>) -> String {
    let parts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(workload: &str, outcome: &str) -> Kept {
        Kept {
            build: "b".into(),
            workload: workload.into(),
            nemesis: vec!["kill".into()],
            nodes: 3,
            seed: 1,
            seconds: 45,
            operations: 100,
            unknown: 2,
            faults: BTreeMap::from([("kill leader".into(), 3)]),
            failovers_ms: vec![1_100, 1_300],
            outcome: outcome.into(),
        }
    }

    #[test]
    fn runs_that_proved_nothing_are_not_in_the_sums() {
        let runs = [run("cas", HELD), run("scan", VIOLATED), run("cas", "void: it never began")];
        let expected = "\
2 runs, 1.5 minutes of faults: 1 violated; 1 void beside
operations: 200 acknowledged (100 cas, 100 scan), 4 of unknown outcome
faults: 6 (6 kill leader)
from a leader's kill -9 to the next acknowledged write: median 1300 ms of 4";
        assert_eq!(Tally::of(&runs).to_string(), expected);
        assert_eq!(Tally::of(&runs).violated(), 1);
    }
}
