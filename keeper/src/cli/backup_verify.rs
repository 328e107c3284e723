//! `keeper backup-verify`: whether a backup can be restored.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::Args;
use keeper::backup::{BackupError, BackupFile, Contents, Head};
use keeper::problem::chain;

use super::Failure;

#[derive(Debug, Args)]
pub(super) struct BackupVerify {
    /// The backup, as `keeperctl cluster backup` wrote it
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// One JSON object instead of lines for people
    #[arg(long)]
    json: bool,
}

impl BackupVerify {
    pub(super) fn run(self) -> Result<(), Failure> {
        let backup = BackupFile::open(&self.file).map_err(failure)?;
        let contents = backup.contents().map_err(failure)?;
        let head = backup.head();
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", object(&self.file, self.file.metadata()?.len(), head, &contents))?;
            return Ok(());
        }
        writeln!(out, "{} is whole: {} bytes", self.file.display(), self.file.metadata()?.len())?;
        writeln!(out, "cluster     {}", head.cluster)?;
        writeln!(out, "taken       {}, from node {} (keeper {})", moment(head.taken_at_ms), head.node, head.program)?;
        writeln!(out, "log time    {}", moment(head.time.0))?;
        writeln!(out, "revision    {}", head.revision.0)?;
        writeln!(out, "state id    {:016x}", head.state.0)?;
        writeln!(out, "state hash  {:016x}", contents.hash)?;
        writeln!(out, "sessions    {} ({} of them live)", head.sessions, contents.sessions_live)?;
        writeln!(out, "instances   {}", contents.instances)?;
        writeln!(out, "configs     {}", contents.configs)?;
        Ok(())
    }
}

/// The same for programs: moments to the millisecond, state ids and hashes as 16 hex digits, as of `keeperctl`.
fn object(file: &Path, bytes: u64, head: &Head, contents: &Contents) -> serde_json::Value {
    let moment = |unix_ms| named(unix_ms, humantime::format_rfc3339_millis);
    serde_json::json!({
        "file": file.display().to_string(),
        "bytes": bytes,
        "cluster": head.cluster,
        "taken_at": moment(head.taken_at_ms),
        "node": head.node,
        "version": head.program,
        "log_time": moment(head.time.0),
        "revision": head.revision.0,
        "state_id": format!("{:016x}", head.state.0),
        "state_hash": format!("{:016x}", contents.hash),
        "sessions": head.sessions,
        "sessions_live": contents.sessions_live,
        "instances": contents.instances,
        "configs": contents.configs,
    })
}

/// What is wrong with a file is an answer; that it cannot be read is none.
pub(super) fn failure(error: BackupError) -> Failure {
    if error.is_unreadable() { error.into() } else { Failure::Refused(chain(&error)) }
}

/// To the second; a moment beyond the years that have a name is told as it is.
fn moment(unix_ms: u64) -> String {
    named(unix_ms, humantime::format_rfc3339_seconds)
}

fn named<T: ToString>(unix_ms: u64, name: impl Fn(SystemTime) -> T) -> String {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms)).filter(|_| unix_ms < NAMED_MS_END);
    at.map_or_else(|| format!("{unix_ms} ms"), |at| name(at).to_string())
}

/// The end of the year 9999.
const NAMED_MS_END: u64 = 253_402_300_800_000;
