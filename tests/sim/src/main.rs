//! `keeper-sim SEEDS`: see the library.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use keeper_sim::planted::{Planted, VARIABLE};
use keeper_sim::run::{Panics, run};
use keeper_sim::runner::{self, Plan, Rounds};

/// Seeds of a call without any.
const SEEDS: &str = "0..20";

/// Simulates a cluster and everything that can go wrong with it, decided by a seed.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Seeds: `7`, or `0..1000`.
    #[arg(default_value = SEEDS, value_parser = seeds)]
    seeds: Range<u64>,
    /// Runs each seed twice; both runs must end in the same bytes.
    #[arg(long)]
    twice: bool,
    /// Runs at once.
    #[arg(long, default_value_t = 2)]
    parallel: usize,
    /// Adds results to this file, and passes over seeds whose results are good in it already.
    #[arg(long)]
    results: Option<PathBuf>,
    /// Plants a bug, and goes on until a seed finds it; those of the daemon need the build of `make planted`.
    #[arg(long, env = VARIABLE, value_parser = Planted::parse)]
    planted: Option<Planted>,
    /// Runs one seed in this process.
    #[arg(long, conflicts_with_all = ["twice", "results"])]
    one: Option<u64>,
    /// With --one: everything that happens is written to this file.
    #[arg(long, requires = "one")]
    trace: Option<PathBuf>,
    /// With --one: what the nodes log, by a filter such as `keeper=info`.
    #[arg(long, requires = "one")]
    log: Option<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut output = std::io::stdout().lock();
    if let Some(seed) = arguments.one {
        return one(seed, &arguments, &mut output);
    }
    let program = std::env::current_exe().context("finding this program")?;
    let plan = Plan {
        program: &program,
        seeds: arguments.seeds,
        parallel: arguments.parallel,
        rounds: if arguments.twice { Rounds::Twice } else { Rounds::Once },
        planted: arguments.planted,
        results: arguments.results.as_deref(),
    };
    let mut broken = Ok(());
    let outcome = runner::run(&plan, |line| {
        if broken.is_ok() {
            broken = writeln!(output, "{line}");
        }
    })?;
    broken.context("telling of the runs")?;
    let is_good = if plan.planted.is_some() { outcome.found.is_some() } else { outcome.failed + outcome.vacuous == 0 };
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(seed: u64, arguments: &Arguments, output: &mut impl std::io::Write) -> anyhow::Result<ExitCode> {
    if let Some(filter) = &arguments.log {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    }
    if let Some(bug) = arguments.planted {
        bug.plant();
    }
    let panics = Panics::catch();
    let copy = arguments.trace.as_ref().map(File::create).transpose().context("opening the trace")?;
    let report = run(seed, &panics, copy)?;
    writeln!(output, "{report}")?;
    for violation in &report.violations {
        writeln!(output, "    {violation}")?;
    }
    if report.violations.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(output, "    again: make sim SEEDS={seed}")?;
    Ok(ExitCode::FAILURE)
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let seeds = match text.split_once("..") {
        Some((from, to)) => from.parse().ok().zip(to.parse().ok()).map(|(from, to)| from..to),
        None => text.parse().ok().and_then(|seed: u64| Some(seed..seed.checked_add(1)?)),
    };
    match seeds {
        None => Err("neither a seed, as in `7`, nor a range of seeds, as in `0..1000`".to_owned()),
        Some(seeds) if seeds.is_empty() => Err("a range without seeds: the end is not in it".to_owned()),
        Some(seeds) => Ok(seeds),
    }
}
