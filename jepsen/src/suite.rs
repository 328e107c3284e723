//! The long form: every workload under every mix of faults, seed after seed, for as long as wanted.
//!
//! What was run is kept in a file; a suite that begins again goes on behind it. A new build of the daemon begins anew.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Interrupted, Standpoint,
    cluster::Builds,
    daemon,
    nemesis::Fault,
    perform,
    results::{self, HELD, Kept},
    run::Order,
    say,
    tally::Tally,
    timeline,
    workload::Workload,
};

/// What is mixed: some where they are strongest alone.
const MIXES: [&[Fault]; 9] = [
    &[Fault::Kill, Fault::Partition, Fault::Pause],
    &[Fault::Kill],
    &[Fault::Kill, Fault::Power],
    &[Fault::Packets, Fault::Partition, Fault::Rolling],
    &[Fault::Kill, Fault::Membership, Fault::Partition, Fault::Transfer],
    &[Fault::Disk, Fault::Kill],
    &[Fault::Clock, Fault::Pause, Fault::Partition],
    &[Fault::Full, Fault::Kill],
    &[Fault::Damage, Fault::Kill, Fault::Pause],
];

/// Everything at once.
const COMBINED: [Fault; 12] = [
    Fault::Kill,
    Fault::Pause,
    Fault::Partition,
    Fault::Packets,
    Fault::Clock,
    Fault::Disk,
    Fault::Full,
    Fault::Power,
    Fault::Damage,
    Fault::Rolling,
    Fault::Membership,
    Fault::Transfer,
];

#[derive(Debug, Args)]
pub(crate) struct Suite {
    /// How long to go on; a run that has begun is finished
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// How long each run lasts
    #[arg(long, default_value_t = 40)]
    seconds: u64,
    /// Where results are appended
    #[arg(long, default_value = "target/jepsen/results.jsonl")]
    results: PathBuf,
    /// Where histories lie; those of runs in which everything held are removed
    #[arg(long, default_value = "target/jepsen")]
    folder: PathBuf,
    /// The daemon to test [default: the one beside this program]
    #[arg(long)]
    keeper: Option<PathBuf>,
    /// Just these workloads
    #[arg(long, value_enum, value_delimiter = ',')]
    workload: Vec<Workload>,
}

impl Suite {
    /// Returns whether every invariant held in every run of this build.
    pub(crate) fn run(self) -> Result<bool> {
        let keeper = daemon(self.keeper.clone())?;
        let binary = fs::read(&keeper).with_context(|| format!("there is no {}", keeper.display()))?;
        let build = format!("{:016x}", xxh3_64(&binary));
        let mut kept = results::read(&self.results)?;
        kept.retain(|it| it.build == build);
        if !kept.is_empty() {
            say(&format!("going on behind {} runs in {}", kept.len(), self.results.display()));
        }
        let until = Instant::now() + Duration::from_secs(self.minutes * 60);
        for seed in 1.. {
            for order in self.orders(seed, &keeper) {
                if kept.iter().any(|it| it.has_proven() && it.is_of(&build, &order)) {
                    continue;
                }
                if Instant::now() >= until {
                    return self.tell(&kept);
                }
                // A run that proved nothing is done again by a later suite, not by this one for ever.
                kept.push(self.once(&build, &order)?);
            }
        }
        Ok(true)
    }

    /// Sums over all runs of this build.
    fn tell(&self, kept: &[Kept]) -> Result<bool> {
        let tally = Tally::of(kept);
        say(&format!("\nall runs of this build in {}:\n{tally}", self.results.display()));
        ensure!(kept.iter().any(Kept::has_proven), "no run proved anything");
        Ok(tally.violated() == 0)
    }

    /// Every workload twice: under everything at once, and under one mix. The mixes move on from seed to seed, and
    /// every third run has five nodes.
    fn orders(&self, seed: u64, keeper: &Path) -> Vec<Order> {
        let all = if self.workload.is_empty() { Workload::value_variants() } else { &self.workload };
        let shift = usize::try_from(seed).unwrap_or_default();
        let order = |at: usize, workload: Workload, faults: &[Fault], name: &str| Order {
            builds: Builds { newest: keeper.to_owned(), old: None },
            workload,
            faults: faults.to_vec(),
            nodes: if (at + shift).is_multiple_of(3) { 5 } else { 3 },
            clients: 8,
            seconds: self.seconds,
            seed,
            history: self.folder.join(format!("{}-{name}-{seed}.jsonl", workload.name())),
        };
        let both = |(at, workload): (usize, &Workload)| {
            let mix = MIXES[(at + shift) % MIXES.len()];
            [order(at, *workload, &COMBINED, "combined"), order(at + 1, *workload, mix, "mix")]
        };
        all.iter().enumerate().flat_map(both).collect()
    }

    fn once(&self, build: &str, order: &Order) -> Result<Kept> {
        let ended = match perform(order, Standpoint::Routed) {
            Err(error) if error.is::<Interrupted>() => return Err(error),
            ended => ended,
        };
        let kept = Kept::new(build, order, &ended);
        results::append(&self.results, &kept)?;
        match &ended {
            Ok(verdict) => {
                say(&results::summary(order, verdict));
                if !verdict.violations.is_empty() {
                    let page = order.history.with_extension("html");
                    timeline::write(&page, &verdict.events, &verdict.violations)?;
                    say(&format!("timeline in {}", page.display()));
                }
                if !verdict.missing.is_empty() {
                    say(&format!("it proves nothing: {}", verdict.missing.join("; ")));
                }
            }
            Err(error) => say(&format!("{} seed {}: no run: {error:#}", order.workload.name(), order.seed)),
        }
        if kept.outcome == HELD {
            self.forget(order);
        }
        Ok(kept)
    }

    /// Removes the history and the logs of a run that showed nothing.
    fn forget(&self, order: &Order) {
        let stem = order.history.file_stem().map(|it| format!("{}.", it.to_string_lossy())).unwrap_or_default();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with(&stem) {
                drop(fs::remove_file(entry.path()));
            }
        }
    }
}
