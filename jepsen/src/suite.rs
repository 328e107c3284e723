//! The long form: every workload under every mix of faults, seed after seed, for as long as wanted.
//!
//! What was run is kept in a file; a suite that begins again goes on behind it. A new build of the daemon begins anew.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    Standpoint, daemon,
    nemesis::Fault,
    perform,
    results::{self, Kept},
    run::Order,
    say, timeline,
    workload::Workload,
};

/// What is mixed: each alone where it is strongest alone, and all that can be made together.
const MIXES: [&[Fault]; 8] = [
    &[Fault::Kill, Fault::Partition, Fault::Pause],
    &[Fault::Kill, Fault::Power],
    &[Fault::Packets, Fault::Partition, Fault::Rolling],
    &[Fault::Disk, Fault::Kill],
    &[Fault::Clock, Fault::Pause, Fault::Partition],
    &[Fault::Full, Fault::Kill],
    &[Fault::Damage, Fault::Kill, Fault::Pause],
    &[
        Fault::Kill,
        Fault::Pause,
        Fault::Partition,
        Fault::Packets,
        Fault::Clock,
        Fault::Disk,
        Fault::Full,
        Fault::Power,
        Fault::Rolling,
    ],
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
    /// Returns whether every invariant held in every run.
    pub(crate) fn run(self) -> Result<bool> {
        let keeper = daemon(self.keeper.clone())?;
        let binary = fs::read(&keeper).with_context(|| format!("there is no {}", keeper.display()))?;
        let build = format!("{:016x}", xxh3_64(&binary));
        let kept = results::read(&self.results)?;
        let until = Instant::now() + Duration::from_secs(self.minutes * 60);
        let mut is_sound = true;
        for seed in 1.. {
            for order in self.orders(seed, &keeper) {
                if kept.iter().any(|it| it.is_of(&build, &order)) {
                    continue;
                }
                if Instant::now() >= until {
                    return Ok(is_sound);
                }
                is_sound &= self.once(&build, &order)?;
            }
        }
        Ok(is_sound)
    }

    /// Every workload once, each under another mix; the mixes move on from seed to seed.
    fn orders(&self, seed: u64, keeper: &Path) -> Vec<Order> {
        let all = if self.workload.is_empty() { Workload::value_variants() } else { &self.workload };
        let order = |(at, workload): (usize, &Workload)| {
            let mix = (at + usize::try_from(seed).unwrap_or_default()) % MIXES.len();
            Order {
                keeper: keeper.to_owned(),
                workload: *workload,
                faults: MIXES[mix].to_vec(),
                nodes: if seed.is_multiple_of(3) { 5 } else { 3 },
                clients: 8,
                seconds: self.seconds,
                seed,
                history: self.folder.join(format!("{}-{seed}.jsonl", workload.name())),
            }
        };
        all.iter().enumerate().map(order).collect()
    }

    fn once(&self, build: &str, order: &Order) -> Result<bool> {
        let ended = perform(order, Standpoint::Routed);
        let kept = Kept::new(build, order, &ended);
        results::append(&self.results, &kept)?;
        match &ended {
            Ok(verdict) => {
                say(&results::summary(order, verdict));
                if !verdict.violations.is_empty() {
                    timeline::write(&order.history.with_extension("html"), &verdict.events, &verdict.violations)?;
                }
            }
            Err(error) => say(&format!("{} seed {}: no run: {error:#}", order.workload.name(), order.seed)),
        }
        let has_held = kept.outcome == "held";
        if has_held {
            self.forget(order);
        }
        Ok(has_held)
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
