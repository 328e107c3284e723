//! Many seeds: a process each, a few at once, and a file of results that a later call goes on from.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, stream};
use tokio::process::{Child, Command};
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::planted::Planted;

/// How long one run may take on a machine that does other things as well. A run that goes beyond it hangs.
const RUN_MAX: Duration = Duration::from_secs(600);

/// What to run.
#[derive(Debug)]
pub struct Plan<'a> {
    /// `keeper-sim` itself.
    pub program: &'a Path,
    /// Which seeds.
    pub seeds: Range<u64>,
    /// How many at once.
    pub parallel: usize,
    /// Each is run twice, and must end in the same bytes.
    pub rounds: Rounds,
    /// A bug to plant: no seed is begun any more once one has found it.
    pub planted: Option<Planted>,
    /// Results are added here, and seeds whose results are there already are passed over.
    pub results: Option<&'a Path>,
}

/// How often each seed is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounds {
    /// To find violations.
    Once,
    /// To find what no seed decides.
    Twice,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Seeds that failed, for whatever reason but the next one.
    pub failed: usize,
    /// Seeds whose runs prove nothing: something that was to happen in them did not.
    pub vacuous: usize,
    /// What the first run said that found the bug planted.
    pub found: Option<String>,
}

/// Runs what is planned, and tells of each seed as it ends.
///
/// # Errors
/// Processes cannot be started, or results not be written.
pub fn run(plan: &Plan<'_>, tell: impl FnMut(&str)) -> anyhow::Result<Outcome> {
    let runtime = Builder::new_current_thread().enable_all().build().context("making a runtime")?;
    runtime.block_on(run_all(plan, tell))
}

async fn run_all(plan: &Plan<'_>, mut tell: impl FnMut(&str)) -> anyhow::Result<Outcome> {
    let done = plan.results.map_or_else(|| Ok(BTreeSet::new()), passed)?;
    let mut results = plan.results.map(append).transpose()?;
    let seeds = plan.seeds.clone().filter(|seed| !done.contains(seed));
    let mut running = stream::iter(seeds).map(|seed| run_one(plan, seed)).buffer_unordered(plan.parallel);
    let mut outcome = Outcome::default();
    while let Some(line) = running.next().await {
        let line = line?;
        let (is_good, is_vacuous) = (line.contains(" ok "), line.contains("vacuous: "));
        outcome.failed += usize::from(!is_good && !is_vacuous);
        outcome.vacuous += usize::from(!is_good && is_vacuous);
        if let Some(results) = &mut results {
            writeln!(results, "{line}").context("writing the results")?;
        }
        tell(&line);
        if plan.planted.is_some() && has_found(&line) {
            outcome.found = Some(line);
            break;
        }
    }
    Ok(outcome)
}

/// Whether a run was judged and found wanting; one that proves nothing, or said nothing, found nothing.
fn has_found(line: &str) -> bool {
    line.contains(" FAILED digest ") && !line.contains("vacuous: ")
}

/// Seeds that ended well before.
fn passed(path: &Path) -> anyhow::Result<BTreeSet<u64>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("reading {}", path.display()))?,
    };
    let seed = |line: &str| line.strip_prefix("seed ")?.split_once(" ok ")?.0.parse().ok();
    Ok(text.lines().filter_map(seed).collect())
}

fn append(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("opening {}", path.display()))
}

/// One line: what the run of a seed said, or why it said nothing.
async fn run_one(plan: &Plan<'_>, seed: u64) -> anyhow::Result<String> {
    let count = if plan.rounds == Rounds::Twice { 2 } else { 1 };
    let children = (0..count).map(|_| start(plan, seed)).collect::<anyhow::Result<Vec<_>>>()?;
    let ending = try_join_all(children.into_iter().map(Child::wait_with_output));
    // Dropped, it ends the processes.
    let Ok(outputs) = timeout(RUN_MAX, ending).await else {
        return Ok(format!("seed {seed} FAILED no end within {} s", RUN_MAX.as_secs()));
    };
    let mut lines = outputs.context("hearing from a run")?.into_iter().map(|output| {
        let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        if said.is_empty() { format!("seed {seed} FAILED said nothing: {}", output.status) } else { said }
    });
    let first = lines.next().unwrap_or_default();
    match lines.find(|other| *other != first) {
        Some(other) => Ok(format!("seed {seed} FAILED not deterministic:\n{first}\n{other}")),
        None => Ok(first),
    }
}

fn start(plan: &Plan<'_>, seed: u64) -> anyhow::Result<Child> {
    let mut command = Command::new(plan.program);
    command.arg("--one").arg(seed.to_string());
    if let Some(bug) = plan.planted {
        command.arg("--planted").arg(bug.name());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    command.spawn().context("starting a run")
}
