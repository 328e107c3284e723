//! The command that tells a process of its new files.

use std::{io, path::Path, process::Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

use crate::failure::Failure;

/// A shell and all that it has started. They end with this.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // A shell that was waited for has no number any more, which somebody else may have by now.
        let leader = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Runs it to its end. A shell reads the line; it finds the files that changed, one a line, in `KEEPER_FILES`, and
/// where the documents stand in `KEEPER_REVISION`. What it prints goes where words go. If it is not waited for any
/// more, it is ended with all that it has started.
pub(super) async fn run(line: &str, files: &[&Path], revision: u64) -> Result<(), Failure> {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let shell = Command::new("sh")
        .arg("-c")
        .arg(line)
        .env("KEEPER_FILES", names.join("\n"))
        .env("KEEPER_REVISION", revision.to_string())
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let status = match shell.map(Group) {
        Ok(mut group) => group.0.wait().await,
        Err(error) => Err(error),
    };
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
    async fn a_command_that_is_not_waited_for_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pipe, begun) = (folder.path().join("pipe"), folder.path().join("begun"));
        // Whoever reads the pipe reads its end once nobody is left who could write to it.
        let line = format!("exec 3>'{}'; touch '{}'; sleep 1000; true", pipe.display(), begun.display());
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("there is mkfifo");
        assert!(made.success());
        let reader = tokio::task::spawn_blocking(move || std::fs::read(pipe));
        {
            let mut run = Box::pin(run(&line, &[], 1));
            let begins = async {
                while !begun.exists() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                _ = &mut run => panic!("it sleeps"),
                () = begins => {}
            }
        }
        assert!(reader.await.expect("it ends").is_ok_and(|read| read.is_empty()));
    }

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
