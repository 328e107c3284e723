//! One run: what was chosen, and where lines go.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    args::Choice,
    cluster::{Cluster, Layout},
    report::{Figures, Report, Row},
    workload::Workload,
};

/// One run.
pub(crate) struct Bench {
    choice: Choice,
    report: Report,
}

impl Bench {
    pub(crate) fn new(choice: Choice) -> Self {
        let report = if choice.json { Report::json() } else { Report::table() };
        Self { choice, report }
    }

    /// Every workload that was chosen, one after another.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let chosen = if self.choice.workloads.is_empty() { Workload::all() } else { self.choice.workloads.clone() };
        for workload in chosen {
            self.say(&format!("{}:", workload.name()));
            let result = workload.run(self).await;
            // What was measured before a failure is worth as much as without it.
            self.report.finish()?;
            result.with_context(|| format!("workload {}", workload.name()))?;
        }
        Ok(())
    }

    /// How long a line is measured.
    pub(crate) fn seconds(&self, full: u64, quick: u64) -> Duration {
        Duration::from_secs(self.choice.seconds.unwrap_or_else(|| self.pick(full, quick)))
    }

    /// One of two, by whether the run is quick.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.choice.quick { quick } else { full }
    }

    /// The numbers of callers to measure.
    pub(crate) fn callers(&self, own: &[usize]) -> Vec<usize> {
        let asked = self.choice.callers.and_then(|it| usize::try_from(it).ok());
        asked.map_or_else(|| own.to_vec(), |it| vec![it])
    }

    /// The numbers of sessions to measure.
    pub(crate) fn sessions(&self, full: &[u64], quick: &[u64]) -> Vec<u64> {
        self.choice.sessions.map_or_else(|| self.pick(full, quick).to_vec(), |it| vec![it])
    }

    /// The numbers of watchers to measure.
    pub(crate) fn watchers(&self, own: &[usize]) -> Vec<usize> {
        let asked = self.choice.watchers.and_then(|it| usize::try_from(it).ok());
        asked.map_or_else(|| own.to_vec(), |it| vec![it])
    }

    /// Three nodes of its own, or the cluster that was named.
    pub(crate) async fn cluster(&self) -> Result<Cluster> {
        self.cluster_with("").await
    }

    /// As [`cluster`](Self::cluster), with these lines added to the settings of nodes of its own.
    pub(crate) async fn cluster_with(&self, settings: &str) -> Result<Cluster> {
        if self.choice.endpoints.is_empty() {
            self.own_cluster(settings).await
        } else {
            Cluster::join(self.choice.endpoints.clone()).await
        }
    }

    /// Three nodes of its own, for what is not done to somebody else's.
    pub(crate) async fn own_cluster(&self, settings: &str) -> Result<Cluster> {
        if !self.choice.endpoints.is_empty() {
            bail!("this workload kills nodes: it runs on nodes of its own, without --endpoints");
        }
        let layout = Layout { keeper: self.keeper()?, settings: settings.to_owned() };
        Cluster::start(&layout).await
    }

    fn keeper(&self) -> Result<PathBuf> {
        if let Some(path) = &self.choice.keeper {
            return Ok(path.clone());
        }
        let own = std::env::current_exe().context("finding this program")?;
        let path = own.with_file_name("keeper");
        if !path.is_file() {
            bail!("there is no {}: build it, or name one with --keeper", path.display());
        }
        Ok(path)
    }

    /// Prints a line.
    pub(crate) fn row<F: Figures>(&mut self, row: &Row<'_, F>) -> Result<()> {
        self.report.row(row)
    }

    /// Says on stderr what is going on.
    pub(crate) fn say(&self, words: &str) {
        self.report.say(words);
    }
}
