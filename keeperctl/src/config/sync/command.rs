//! The command that tells a process of its new files.

use std::{io, path::Path, process::Stdio};

use tokio::process::Command;

use crate::failure::Failure;

/// Runs it to its end. A shell reads the line; it finds the files that changed, one a line, in `KEEPER_FILES`, and
/// where the documents stand in `KEEPER_REVISION`. What it prints goes where words go. If it is not waited for any
/// more, it is ended.
pub(super) async fn run(line: &str, files: &[&Path], revision: u64) -> Result<(), Failure> {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let status = Command::new("sh")
        .arg("-c")
        .arg(line)
        .env("KEEPER_FILES", names.join("\n"))
        .env("KEEPER_REVISION", revision.to_string())
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .kill_on_drop(true)
        .status()
        .await;
    let status = status.map_err(|error| Failure::failed(format!("cannot start a shell for `{line}`: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::failed(format!("`{line}` ended with {status}; the files are there")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_learns_what_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = folder.path().join("told");
        let line = format!("printf '%s at %s' \"$KEEPER_FILES\" $KEEPER_REVISION > '{}'", told.display());
        assert_eq!(run(&line, &[Path::new("/etc/a.toml"), Path::new("/etc/b c.toml")], 12).await, Ok(()));
        assert_eq!(std::fs::read_to_string(told).ok().as_deref(), Some("/etc/a.toml\n/etc/b c.toml at 12"));
        let failed = run("exit 3", &[], 12).await.expect_err("it fails");
        assert_eq!(failed.message, "`exit 3` ended with exit status: 3; the files are there");
    }
}
