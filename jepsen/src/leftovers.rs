//! What a run makes outside of its own memory, and its removal.
//!
//! Namespaces, mounts, loop devices and processes outlive whoever made them. So each is written into a ledger before it
//! is made, and undone from the ledger: by the run itself when it ends, also by a panic; by the next run when it was
//! killed. Nothing is ever found by a pattern of names: what no ledger tells of is not touched.
//!
//! A ledger is named after the process that keeps it and the moment that process started, because numbers of processes
//! come again.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

/// Where ledgers and the data of nodes lie.
const FOLDER: &str = "keeper-jepsen";

/// Something to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A process, and when it started.
    Process(u32, u64),
    Namespace(String),
    /// A file behind a loop device, whichever that is.
    Loop(PathBuf),
    Mount(PathBuf),
    Folder(PathBuf),
}

/// The ledger of this run. What it tells of is undone when it is dropped.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    folder: PathBuf,
    file: Mutex<File>,
}

impl Ledger {
    /// Cleans up behind runs that were killed, and begins the ledger of this one.
    pub(crate) fn open() -> Result<Self> {
        let root = std::env::temp_dir().join(FOLDER);
        fs::create_dir_all(&root)?;
        clean_dead(&root)?;
        let pid = std::process::id();
        let started = started(pid).context("this process is not in /proc")?;
        let name = format!("{pid}-{started}");
        let (path, folder) = (root.join(format!("{name}.ledger")), root.join(&name));
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = Mutex::new(file.with_context(|| format!("{} cannot be written", path.display()))?);
        let ledger = Self { path, folder, file };
        ledger.note(&Thing::Folder(ledger.folder.clone()))?;
        fs::create_dir(&ledger.folder)?;
        Ok(ledger)
    }

    /// Where this run may put what it needs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// To be called before the thing is made, except for processes, which have no number before.
    pub(crate) fn note(&self, thing: &Thing) -> Result<()> {
        let mut file = self.file.lock();
        writeln!(file, "{}", thing.line()).context("the ledger cannot be written")
    }

    /// Notes a process that was just started.
    pub(crate) fn note_process(&self, pid: u32) -> Result<()> {
        match started(pid) {
            Some(started) => self.note(&Thing::Process(pid, started)),
            None => Ok(()),
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if undo(&self.path).is_ok() {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Undoes what runs left behind whose process is gone.
fn clean_dead(root: &Path) -> Result<()> {
    for entry in fs::read_dir(root)?.filter_map(Result::ok) {
        let path = entry.path();
        let Some(owner) = path.file_stem().and_then(|stem| stem.to_str()?.split_once('-')) else { continue };
        let (Ok(pid), Ok(start)) = (owner.0.parse::<u32>(), owner.1.parse::<u64>()) else { continue };
        let is_ledger = path.extension().is_some_and(|it| it == "ledger");
        if is_ledger && started(pid) != Some(start) {
            undo(&path).with_context(|| format!("a run that was killed left things behind: {}", path.display()))?;
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The last thing first, because it may stand on those before.
fn undo(ledger: &Path) -> Result<()> {
    let text = fs::read_to_string(ledger)?;
    let things: Vec<Thing> = text.lines().filter_map(Thing::parse).collect();
    let failed: Vec<String> = things.iter().rev().filter_map(|it| it.remove().err()).map(|it| it.to_string()).collect();
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(())
}

impl Thing {
    fn line(&self) -> String {
        match self {
            Self::Process(pid, started) => format!("process {pid} {started}"),
            Self::Namespace(name) => format!("namespace {name}"),
            Self::Loop(path) => format!("loop {}", path.display()),
            Self::Mount(path) => format!("mount {}", path.display()),
            Self::Folder(path) => format!("folder {}", path.display()),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ')?;
        Some(match kind {
            "process" => {
                let (pid, started) = rest.split_once(' ')?;
                Self::Process(pid.parse().ok()?, started.parse().ok()?)
            }
            "namespace" => Self::Namespace(rest.to_owned()),
            "loop" => Self::Loop(rest.into()),
            "mount" => Self::Mount(rest.into()),
            "folder" => Self::Folder(rest.into()),
            _ => return None,
        })
    }

    /// Removes it, if it is there.
    fn remove(&self) -> Result<()> {
        match self {
            Self::Process(pid, start) if started(*pid) == Some(*start) => quiet("kill", &["-9", &pid.to_string()]),
            Self::Process(..) => Ok(()),
            Self::Namespace(name) if Path::new("/run/netns").join(name).exists() => {
                quiet("ip", &["netns", "del", name])
            }
            Self::Namespace(_) => Ok(()),
            Self::Loop(path) => {
                let listed = Command::new("losetup").arg("-j").arg(path).stdin(Stdio::null()).output()?;
                let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
                let mut devices = listed.lines().filter_map(|line| line.split(':').next());
                devices.try_for_each(|device| quiet("losetup", &["-d", device]))
            }
            Self::Mount(path) if is_mounted(path) => quiet("umount", &["-l", &path.display().to_string()]),
            Self::Mount(_) => Ok(()),
            Self::Folder(path) if path.exists() => {
                fs::remove_dir_all(path).with_context(|| format!("{} cannot be removed", path.display()))
            }
            Self::Folder(_) => Ok(()),
        }
    }
}

pub(crate) fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().filter_map(|line| line.split(' ').nth(1)).any(|it| Path::new(it) == path)
}

/// When a process started, in ticks since the machine did; none when there is no such process.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let fields = stat.rsplit_once(") ")?.1;
    fields.split(' ').nth(19)?.parse().ok()
}

fn quiet(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{program} does not run"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_read_as_it_was_written() {
        let things = [
            Thing::Process(7, 1_234),
            Thing::Namespace("kj1-r".into()),
            Thing::Loop("a b/c".into()),
            Thing::Mount("d".into()),
            Thing::Folder("e".into()),
        ];
        for thing in things {
            assert_eq!(Thing::parse(&thing.line()), Some(thing));
        }
        assert_eq!(Thing::parse("bicycle 7"), None);
    }

    #[test]
    fn what_a_killed_run_left_behind_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let (left, alive) = (root.path().join("left"), root.path().join("alive"));
        fs::create_dir(&left).unwrap();
        fs::create_dir(&alive).unwrap();
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let processes = format!("folder {}\nprocess {pid} {}\n", left.display(), started(pid).unwrap());
        // No process of this number ever started at that moment.
        fs::write(root.path().join(format!("{}-1.ledger", std::process::id())), processes).unwrap();
        let me = started(std::process::id()).unwrap();
        let mine = root.path().join(format!("{}-{me}.ledger", std::process::id()));
        fs::write(&mine, format!("folder {}\n", alive.display())).unwrap();
        clean_dead(root.path()).unwrap();
        assert!(!left.exists() && alive.exists() && mine.exists());
        assert!(!child.wait().unwrap().success(), "it was killed");
    }
}
