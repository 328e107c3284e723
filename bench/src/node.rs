//! One `keeper` process, its settings, its data and its log.
//!
//! It dies with this process however this one ends, by `kill -9` too: three daemons left behind would disturb every
//! later measurement. The system can promise that to a program about itself only, so the process begins as this
//! program, asks for it, and becomes the daemon.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::{Endpoint, InitialMember};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use crate::{
    ports::Ports,
    process::{Usage, disk_bytes},
};

/// How long a node may take to stop by itself.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Lines of a node's log that are told when it ends unasked.
const LOG_LINES_TOLD: usize = 5;

/// What a process that becomes a node is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    keeper: PathBuf,
    settings: PathBuf,
}

/// Becomes the daemon. Returns only when it cannot.
pub(crate) fn become_keeper(args: &Args) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("asking to end with the parent")?;
    let error = Command::new(&args.keeper).args(["start", "--config"]).arg(&args.settings).exec();
    Err(error).with_context(|| format!("starting {}", args.keeper.display()))
}

/// One node. Its process ends with it.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: u64,
    client: u16,
    peer: u16,
    http: u16,
    keeper: PathBuf,
    dir: PathBuf,
    child: Option<Child>,
    /// Processor time of its earlier lives.
    spent_s: f64,
}

impl Node {
    /// A node that is not started yet, with its settings written into `dir`.
    pub(crate) fn prepare(id: u64, keeper: &Path, dir: PathBuf, ports: &mut Ports, settings: &str) -> Result<Self> {
        let [client, peer, http] = [ports.take()?, ports.take()?, ports.take()?];
        let node = Self { id, client, peer, http, keeper: keeper.to_owned(), dir, child: None, spent_s: 0.0 };
        fs::create_dir_all(&node.dir).with_context(|| format!("creating {}", node.dir.display()))?;
        let text = format!("{}{settings}", node.settings());
        fs::write(node.settings_file(), text).context("writing a node's settings")?;
        Ok(node)
    }

    fn settings(&self) -> String {
        let at = |port| format!("{}:{port}", Ipv4Addr::LOCALHOST);
        let Self { id, client, peer, http, .. } = self;
        format!(
            "cluster = \"{}\"\nnode_id = {id}\ndata_dir = {:?}\n\n[listen]\nclient = \"{}\"\npeer = \"{}\"\nhttp = \"{}\"\n\n\
             [log]\nlevel = \"warn\"\n\n",
            Self::CLUSTER,
            self.data_dir(),
            at(*client),
            at(*peer),
            at(*http),
        )
    }

    /// The name of every cluster started here.
    pub(crate) const CLUSTER: &str = "bench";

    fn settings_file(&self) -> PathBuf {
        self.dir.join("keeper.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("keeper.log")
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Where clients reach it.
    pub(crate) fn endpoint(&self) -> Result<Endpoint> {
        Ok(Endpoint::parse(&format!("{}:{}", Ipv4Addr::LOCALHOST, self.client))?)
    }

    /// Where its metrics are.
    pub(crate) fn http(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.http)
    }

    /// How a new cluster knows it.
    pub(crate) fn member(&self) -> InitialMember {
        let at = |port| format!("{}:{port}", Ipv4Addr::LOCALHOST);
        InitialMember { node_id: self.id, peer_endpoint: at(self.peer), client_endpoint: at(self.client) }
    }

    pub(crate) fn start(&mut self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log_file()).context("opening a node's log")?;
        let output = log.try_clone().context("opening a node's log")?;
        let own = std::env::current_exe().context("finding this program")?;
        let child = Command::new(own)
            .args(["__node".as_ref(), self.keeper.as_os_str(), self.settings_file().as_os_str()])
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log)
            .spawn()
            .context("starting a node")?;
        self.child = Some(child);
        Ok(())
    }

    /// Fails when its process has ended unasked.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let Some(status) = child.try_wait().context("looking after a node")? else { return Ok(()) };
        self.child = None;
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES_TOLD)..].join("\n");
        bail!("node {} ended by itself ({status}); its last words:\n{last}", self.id)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.spent_s = self.usage().map_or(self.spent_s, |usage| usage.cpu_s);
        let Some(mut child) = self.child.take() else { return };
        // It can only fail for a process that is dead already.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Asks it to stop, and kills it if it does not.
    pub(crate) async fn stop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let begun = Instant::now();
            while begun.elapsed() < STOP_PATIENCE && matches!(child.try_wait(), Ok(None)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        self.kill();
    }

    /// What it has used, over all its lives; none while it is dead.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let usage = Usage::of(self.child.as_ref()?.id()).ok()?;
        Some(Usage { cpu_s: usage.cpu_s + self.spent_s, ..usage })
    }

    /// Processor time over all its lives, dead or not.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.usage().map_or(self.spent_s, |usage| usage.cpu_s)
    }

    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        disk_bytes(&self.data_dir()).with_context(|| format!("measuring {}", self.data_dir().display()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_in_full() {
        let dir = tempfile::tempdir().unwrap();
        let (path, extra) = (dir.path().join("1"), "[raft]\nsnapshot_log_entries = 9\n");
        let node = Node::prepare(1, Path::new("keeper"), path, &mut Ports::new(), extra).unwrap();
        let text = fs::read_to_string(node.settings_file()).unwrap();
        for line in ["cluster = \"bench\"", "node_id = 1", "[listen]", "level = \"warn\"", "snapshot_log_entries = 9"] {
            assert!(text.lines().any(|it| it == line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn a_node_that_ends_by_itself_is_told_with_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let mut node = Node::prepare(1, Path::new("keeper"), dir.path().join("1"), &mut Ports::new(), "").unwrap();
        let mut failing = Command::new("false");
        fs::write(node.log_file(), "a line\nthe port is taken\n").unwrap();
        node.child = Some(failing.spawn().unwrap());
        let error = loop {
            if let Err(error) = node.check() {
                break error.to_string();
            }
        };
        assert!(error.ends_with("its last words:\na line\nthe port is taken"), "{error}");
    }
}
