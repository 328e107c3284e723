//! One daemon: its process, its settings, its data.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    process::{Child, Command},
    time,
};

use crate::{command, image::Image, leftovers::Ledger, nemesis::Control};

/// Lines of a node's log that say why it ended.
const LAST_WORDS: usize = 2;

/// How long a node may take to end when it is asked to: its own limit, and a little.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// How a node stands, as far as the harness made it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Up,
    Paused,
    Down,
    /// Damaged, and rightly not willing to go on.
    Retired,
}

/// What its settings say of its number in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// It is founded by the number of its place.
    Founder,
    /// The cluster gives it one.
    Newcomer,
}

/// What a node is given besides its number.
pub(crate) struct Equipment {
    pub(crate) prefix: Vec<String>,
    pub(crate) addresses: [SocketAddr; 3],
    pub(crate) folder: PathBuf,
    pub(crate) image: Option<Image>,
    /// The library that makes it suffer, and what tells it how.
    pub(crate) shim: Option<(PathBuf, Control)>,
    pub(crate) log: PathBuf,
}

pub(crate) struct Node {
    pub(crate) number: usize,
    keeper: PathBuf,
    equipment: Equipment,
    child: Option<Child>,
    pub(crate) standing: Standing,
    numbering: Numbering,
    /// How often it was started.
    pub(crate) launches: u32,
    /// Faults under way that give it the right to end by itself.
    rights_to_end: u32,
    /// It had the right when it ended, and was not buried yet.
    is_excused: bool,
    /// A file of it was damaged: what it answers must be right, but nobody waits for it.
    pub(crate) is_damaged: bool,
}

impl Node {
    pub(crate) fn new(keeper: &Path, number: usize, numbering: Numbering, equipment: Equipment) -> Result<Self> {
        let keeper = keeper.to_owned();
        let (child, standing) = (None, Standing::Down);
        let (rights_to_end, is_excused, is_damaged) = (0, false, false);
        let node = Self {
            number,
            keeper,
            equipment,
            child,
            standing,
            numbering,
            launches: 0,
            rights_to_end,
            is_excused,
            is_damaged,
        };
        node.write_settings()?;
        Ok(node)
    }

    fn write_settings(&self) -> Result<()> {
        fs::write(self.settings(), self.settings_text()).context("settings cannot be written")
    }

    /// It is founded by the number of its place.
    pub(crate) fn become_founder(&mut self) -> Result<()> {
        self.numbering = Numbering::Founder;
        self.write_settings()
    }

    /// Whoever starts it on an empty disk waits for a number from the cluster.
    pub(crate) fn become_newcomer(&mut self) -> Result<()> {
        self.numbering = Numbering::Newcomer;
        self.write_settings()
    }

    pub(crate) fn name(&self) -> String {
        format!("node-{}", self.number + 1)
    }

    pub(crate) fn client(&self) -> String {
        self.equipment.addresses[0].to_string()
    }

    /// Where other nodes reach it.
    pub(crate) fn peer(&self) -> String {
        self.equipment.addresses[1].to_string()
    }

    pub(crate) const fn image(&self) -> Option<&Image> {
        self.equipment.image.as_ref()
    }

    pub(crate) fn control(&self) -> Option<&Control> {
        self.equipment.shim.as_ref().map(|(_, control)| control)
    }

    pub(crate) fn data(&self) -> PathBuf {
        match &self.equipment.image {
            Some(image) => image.data(),
            None => self.equipment.folder.join(format!("data-{}", self.number + 1)),
        }
    }

    /// As `keeper init` wants it.
    pub(crate) fn member(&self) -> String {
        let [client, peer, _] = self.equipment.addresses;
        format!("{}={peer},{client}", self.number + 1)
    }

    fn settings(&self) -> PathBuf {
        self.equipment.folder.join(format!("node-{}.toml", self.number + 1))
    }

    /// Thresholds are tiny, so that snapshots are written, sent and installed all the time.
    fn settings_text(&self) -> String {
        let [client, peer, http] = self.equipment.addresses;
        let number = match self.numbering {
            Numbering::Founder => format!("node_id = {}\n", self.number + 1),
            Numbering::Newcomer => String::new(),
        };
        format!(
            "cluster = \"jepsen\"\n{number}data_dir = \"{}\"\nallow_insecure = true\n\n\
             [listen]\nclient = \"{client}\"\npeer = \"{peer}\"\nhttp = \"{http}\"\n\n\
             [raft]\nsnapshot_log_entries = 300\nlog_keep_entries = 100\n",
            self.data().display()
        )
    }

    /// The command that runs a program where the node stands.
    fn command(&self, arguments: &[String]) -> Command {
        let mut line = self.equipment.prefix.clone();
        if let Some((library, control)) = &self.equipment.shim {
            let variables = [
                ("LD_PRELOAD", library.display().to_string()),
                ("JEPSEN_CONTROL", control.path().display().to_string()),
                ("JEPSEN_FOLDER", self.data().display().to_string()),
            ];
            line.push("env".to_owned());
            line.extend(variables.map(|(name, value)| format!("{name}={value}")));
        }
        line.push(self.keeper.display().to_string());
        line.extend_from_slice(arguments);
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) fn launch(&mut self, ledger: &Ledger) -> Result<()> {
        let log = File::options().create(true).append(true).open(&self.equipment.log)?;
        let settings = self.settings().display().to_string();
        let mut command = self.command(&["start".to_owned(), "--config".to_owned(), settings]);
        let child = command.stdout(log.try_clone()?).stderr(log).spawn();
        let child = child.with_context(|| format!("{} does not run", self.keeper.display()))?;
        if let Some(pid) = child.id() {
            ledger.note_process(pid)?;
        }
        self.child = Some(child);
        self.standing = Standing::Up;
        self.launches += 1;
        self.is_excused = false;
        Ok(())
    }

    /// It is started with this program from now on.
    pub(crate) fn install(&mut self, keeper: &Path) {
        keeper.clone_into(&mut self.keeper);
    }

    /// SIGKILL, and waits for the end.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        if self.standing != Standing::Retired {
            self.standing = Standing::Down;
        }
        Ok(())
    }

    /// Kills it and takes its disk away. What it is started on next is another, and sound.
    pub(crate) async fn wipe(&mut self) -> Result<()> {
        self.kill().await?;
        let data = self.data();
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("{} cannot be removed", data.display()))?;
        }
        (self.standing, self.is_damaged) = (Standing::Down, false);
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn end(&mut self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let mut child = self.child.take().context("the node runs")?;
        self.standing = Standing::Down;
        let ended = time::timeout(END_TIMEOUT, child.wait()).await;
        Ok(ended.with_context(|| format!("{} does not end when asked to", self.name()))??)
    }

    pub(crate) fn pause(&mut self) -> Result<()> {
        self.signal("STOP")?;
        self.standing = Standing::Paused;
        Ok(())
    }

    pub(crate) fn resume(&mut self) -> Result<()> {
        self.signal("CONT")?;
        self.standing = Standing::Up;
        Ok(())
    }

    fn signal(&self, name: &str) -> Result<()> {
        let pid = self.child.as_ref().and_then(Child::id).context("the node runs")?;
        command::run("kill", &["-s", name, &pid.to_string()]).map(drop)
    }

    /// A fault begins that gives it the right to end by itself.
    pub(crate) const fn permit_end(&mut self) {
        self.rights_to_end += 1;
    }

    /// That fault is over. Whoever ended before had the right, also if nobody has looked yet.
    pub(crate) fn forbid_end(&mut self) -> Result<()> {
        let has_ended = match &mut self.child {
            Some(child) => child.try_wait()?.is_some(),
            None => false,
        };
        self.is_excused |= has_ended && self.rights_to_end > 0;
        self.rights_to_end = self.rights_to_end.saturating_sub(1);
        Ok(())
    }

    /// Every fault is over.
    pub(crate) fn forbid_every_end(&mut self) -> Result<()> {
        self.rights_to_end = self.rights_to_end.min(1);
        self.forbid_end()
    }

    pub(crate) const fn may_end(&self) -> bool {
        self.rights_to_end > 0 || self.is_excused || self.is_damaged
    }

    /// How the process ended, if it did so by itself.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let ended = child.try_wait()?;
        if ended.is_some() {
            self.child = None;
            self.standing = if self.is_damaged { Standing::Retired } else { Standing::Down };
        }
        Ok(ended)
    }

    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.equipment.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].join(" | ")
    }

    /// Founds the cluster through this node. Returns what it said when it refused.
    pub(crate) async fn found(&self, members: &[String]) -> Result<std::result::Result<(), String>> {
        let mut arguments = vec!["init".to_owned(), "--endpoint".to_owned(), format!("http://{}", self.client())];
        arguments.extend(members.iter().flat_map(|member| ["--member".to_owned(), member.clone()]));
        let mut line = vec![self.keeper.display().to_string()];
        line.extend(arguments);
        let output = Command::new(&line[0]).args(&line[1..]).stdin(Stdio::null()).kill_on_drop(true).output().await?;
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        Ok(if output.status.success() { Ok(()) } else { Err(said) })
    }
}
