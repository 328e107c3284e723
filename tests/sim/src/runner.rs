//! Many seeds: a process each, a few at once, and a file of results that a later call goes on from.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::planted::VARIABLE;

/// How long one run may take on a machine that does other things as well. A run that goes beyond it hangs.
const RUN_MAX: Duration = Duration::from_secs(240);

/// How often to look whether a run has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

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
    /// The name of a bug to plant; see [`planted`](crate::planted).
    pub planted: Option<&'a str>,
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

struct Running {
    seed: u64,
    since: Instant,
    children: Vec<Child>,
}

/// Runs what is planned, tells of each seed as it ends, and says how many failed.
///
/// # Errors
/// Processes cannot be started, or results not be written.
pub fn run(plan: &Plan<'_>, mut tell: impl FnMut(&str)) -> anyhow::Result<usize> {
    let done = plan.results.map_or_else(|| Ok(BTreeSet::new()), passed)?;
    let mut results = plan.results.map(append).transpose()?;
    let mut seeds = plan.seeds.clone().filter(|seed| !done.contains(seed));
    let mut running: Vec<Running> = Vec::new();
    let mut failed = 0;
    loop {
        while running.len() < plan.parallel
            && let Some(seed) = seeds.next()
        {
            running.push(start(plan, seed)?);
        }
        if running.is_empty() {
            return Ok(failed);
        }
        let mut ended = None;
        for (at, one) in running.iter_mut().enumerate() {
            if one.has_ended()? {
                ended = Some(at);
                break;
            }
        }
        let Some(at) = ended else {
            #[expect(clippy::disallowed_methods, reason = "processes are looked at, and nothing here is simulated")]
            std::thread::sleep(LOOK_AGAIN);
            continue;
        };
        let line = running.swap_remove(at).result()?;
        failed += usize::from(!line.contains(" ok "));
        if let Some(results) = &mut results {
            writeln!(results, "{line}").context("writing the results")?;
        }
        tell(&line);
    }
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

fn start(plan: &Plan<'_>, seed: u64) -> anyhow::Result<Running> {
    let count = if plan.rounds == Rounds::Twice { 2 } else { 1 };
    let child = |_| {
        let mut command = Command::new(plan.program);
        command.envs(plan.planted.map(|bug| (VARIABLE, bug)));
        command.arg("--one").arg(seed.to_string()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        command.spawn().context("starting a run")
    };
    let children = (0..count).map(child).collect::<anyhow::Result<_>>()?;
    Ok(Running { seed, since: Instant::now(), children })
}

impl Running {
    fn has_ended(&mut self) -> anyhow::Result<bool> {
        if self.since.elapsed() > RUN_MAX {
            for child in &mut self.children {
                child.kill().context("ending a run that hangs")?;
            }
        }
        for child in &mut self.children {
            if child.try_wait().context("looking at a run")?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One line: what the run said, or why it said nothing.
    fn result(self) -> anyhow::Result<String> {
        let Self { seed, children, .. } = self;
        let mut lines = Vec::new();
        for child in children {
            let output = child.wait_with_output().context("hearing from a run")?;
            let said = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
            lines.push(if said.is_empty() {
                format!("seed {seed} FAILED said nothing: {}", output.status)
            } else {
                said
            });
        }
        let first = lines.remove(0);
        match lines.into_iter().find(|other| *other != first) {
            Some(other) => Ok(format!("seed {seed} FAILED not deterministic:\n{first}\n{other}")),
            None => Ok(first),
        }
    }
}
