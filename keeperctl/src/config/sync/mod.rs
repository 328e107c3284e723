//! `keeperctl config sync`: files that are kept what documents say, for processes that cannot ask by themselves.
//!
//! An agent that runs for as long as its host does. It follows the effective documents of one reader over whichever
//! node answers, and tries for ever: a node that dies is another node's turn. Promises:
//!
//! - a file is replaced whole or not at all, and the files of one publish together (see [`files`] and [`job`]);
//! - the command runs once for all that changed together, after the files are there, and again until it succeeds or a
//!   newer change takes its turn; a death in between makes the next agent run it (at least once, then);
//! - a value that the file's format cannot hold, a full disk: the files of that publish stay as they are, those of all
//!   others go on, and the agent says why; of a document that is deleted the file stays;
//! - links are followed, and what is no regular file is refused (see [`target`]).
//!
//! What a file holds is the merged value, written anew in the file's format: comments belong to layers and do not
//! survive. Secrets are open in it, for the process that reads it.

mod command;
mod files;
mod job;
mod mark;
mod target;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use keeper_client_sdk::{EffectiveChanged, EffectiveWatch, Format, Reader};
use tokio::time;

use crate::{
    admin::Admin,
    args::SyncConfig,
    config::folder,
    failure::{Failure, Kind},
    limits,
};
use job::Job;

/// A document and the file that is kept what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    path: String,
    file: PathBuf,
    format: Format,
}

pub(super) async fn sync(admin: &mut Admin<'_, '_>, typed: &SyncConfig) -> Result<(), Failure> {
    let mut agent = Agent::new(admin, typed)?;
    if typed.once { agent.once(admin).await } else { agent.keep(admin).await }
}

struct Agent {
    paths: BTreeSet<String>,
    reader: Reader,
    watch: EffectiveWatch,
    job: Job,
}

impl Agent {
    fn new(admin: &Admin<'_, '_>, typed: &SyncConfig) -> Result<Self, Failure> {
        let kept = kept(typed)?;
        let paths: BTreeSet<_> = kept.iter().map(|kept| kept.path.clone()).collect();
        let reader = reader(typed)?;
        let watch = admin.keeper.configs().follow(paths.clone(), reader.clone());
        Ok(Self { paths, reader, watch, job: Job::new(kept, typed.on_change.clone()) })
    }

    /// Makes the files what the documents say now; all of it within the time that was given.
    async fn once(&mut self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        let timeout = admin.timeout;
        match time::timeout(timeout, self.now(admin)).await {
            Ok(done) => done?,
            Err(_) if self.job.has_heard() => {
                return Err(Failure::failed(format!("it was not done within {timeout:?}"))
                    .remedy("what is printed stands; a command that had not ended was ended, and runs again next time")
                    .remedy("give it longer with `--timeout`"));
            }
            Err(_) => return Err(Failure::unserved(format!("no node answered within {timeout:?}"))),
        }
        self.job.complete()
    }

    async fn now(&mut self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        let first = self.next().await?;
        self.hear(admin, first);
        self.job.attempt(admin).await
    }

    fn hear(&mut self, admin: &mut Admin<'_, '_>, frame: EffectiveChanged) {
        for path in self.job.hear(frame) {
            admin.console.say(format_args!("there is nothing of {path}: its file stays as it is"));
        }
    }

    /// The same from now on. What fails is told and tried again, and at once when there is something newer.
    async fn keep(&mut self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        let mut pause = limits::SYNC_PAUSE_MIN;
        let mut patience = Some(admin.timeout);
        loop {
            match self.job.attempt(admin).await {
                Ok(()) if self.job.has_heard() => patience = None,
                Ok(()) => {}
                Err(failure) if failure.kind == Kind::ReaderGone => return Err(failure),
                Err(failure) => {
                    failure.tell(admin.console);
                    admin.console.say(format_args!("tried again in {}", humantime::format_duration(pause)));
                    patience = Some(pause);
                }
            }
            let newer = match patience {
                Some(patience) => time::timeout(patience, self.next()).await.ok(),
                None => Some(self.next().await),
            };
            match newer {
                Some(Ok(frame)) => {
                    self.hear(admin, frame);
                    pause = limits::SYNC_PAUSE_MIN;
                }
                // Nobody of that name is open just now, for one.
                Some(Err(failure)) => {
                    failure.tell(admin.console);
                    time::sleep(pause).await;
                    pause = longer(pause);
                    self.watch = admin.keeper.configs().follow(self.paths.clone(), self.reader.clone());
                }
                None if self.job.is_done() => {
                    let timeout = admin.timeout;
                    admin.console.say(format_args!("no node answered within {timeout:?}; it goes on trying"));
                    patience = None;
                }
                None => pause = longer(pause),
            }
        }
    }

    async fn next(&mut self) -> Result<EffectiveChanged, Failure> {
        match self.watch.next().await {
            Some(frame) => Ok(frame?),
            None => Err(Failure::failed("the watch ended")),
        }
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(limits::SYNC_PAUSE_MAX)
}

fn reader(typed: &SyncConfig) -> Result<Reader, Failure> {
    typed.whom.reader().map_err(Failure::failed)
}

fn kept(typed: &SyncConfig) -> Result<Vec<Kept>, Failure> {
    let mut kept = Vec::new();
    for pair in &typed.pairs {
        let format = typed.format.map(Format::from).or_else(|| folder::format_of(&pair.file));
        let format = format.ok_or_else(|| {
            Failure::failed(format!("the ending of {} names no format", pair.file))
                .remedy("name it with `--format`: toml, yaml, json or ini")
        })?;
        let file = std::path::absolute(&pair.file)
            .map_err(|error| Failure::failed(format!("{} is no path: {error}", pair.file)))?;
        kept.push(Kept { path: pair.path.clone(), file, format });
    }
    distinct(&kept)?;
    Ok(kept)
}

/// Refuses what can never be done: two documents in one file, and files that are none. A folder that is not there yet
/// may still come.
fn distinct(kept: &[Kept]) -> Result<(), Failure> {
    let (mut typed, mut meant) = (BTreeSet::new(), BTreeMap::new());
    for Kept { file, .. } in kept {
        if !typed.insert(file) {
            return Err(Failure::failed(format!("{} is to be two documents", file.display())));
        }
        let target = target::of(file);
        if std::fs::metadata(file).is_ok() {
            target.as_ref().map_err(Failure::clone)?;
        }
        if let Ok(identity) = target.and_then(|target| target::identity(&target))
            && let Some(other) = meant.insert(identity, file)
        {
            return Err(two_paths(file, other));
        }
    }
    Ok(())
}

fn two_paths(one: &Path, other: &Path) -> Failure {
    Failure::failed(format!(
        "{} and {} are the same file, which cannot be two documents",
        other.display(),
        one.display()
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{ConfigVerb, Noun, Typed};

    fn typed(line: &str) -> SyncConfig {
        let words = ["keeperctl", "config", "sync"].into_iter().chain(line.split_whitespace());
        match Typed::try_parse_from(words).map(|typed| typed.noun) {
            Ok(Noun::Config { verb: ConfigVerb::Sync(sync) }) => sync,
            other => panic!("not `sync`: {other:?}"),
        }
    }

    #[test]
    fn a_file_is_one_document_in_one_format() {
        let kept_of = |line| kept(&typed(line)).map_err(|failure| failure.message);
        let both = kept_of("a.toml=/etc/a.json b/c=/etc/c.yml").expect("two files");
        let formats: Vec<_> = both.iter().map(|kept| (kept.path.as_str(), kept.format)).collect();
        assert_eq!(formats, [("a.toml", Format::Json), ("b/c", Format::Yaml)]);
        assert_eq!(kept_of("a.toml=/etc/a.conf"), Err("the ending of /etc/a.conf names no format".into()));
        assert_eq!(kept_of("a.toml=/e/a.ini b.toml=/e/a.ini"), Err("/e/a.ini is to be two documents".into()));
        assert!(kept_of("a.toml=/etc/a.conf --format ini").is_ok());
    }

    #[test]
    fn two_ways_to_one_file_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().display();
        std::os::unix::fs::symlink("a.toml", folder.path().join("link.toml")).expect("a link");
        std::fs::create_dir(folder.path().join("b.toml")).expect("room for it");
        let refused = |line: String| kept(&typed(&line)).expect_err("refused").message;
        let said = refused(format!(
            "a={root}/a.toml b={root}/../{}/a.toml",
            folder.path().file_name().expect("one").display()
        ));
        assert!(said.ends_with("are the same file, which cannot be two documents"), "{said}");
        let said = refused(format!("a={root}/a.toml b={root}/link.toml"));
        assert!(said.ends_with("are the same file, which cannot be two documents"), "{said}");
        assert_eq!(refused(format!("a={root}/b.toml")), format!("{root}/b.toml is a folder, and no file"));
        let said = refused("a=/dev/null --format json".into());
        assert_eq!(said, "/dev/null is a device, and no file that can be replaced");
    }

    #[test]
    fn whoever_reads_is_named() {
        let of = |line| reader(&typed(line)).map_or_else(|failure| failure.message, |reader| reader.to_string());
        assert_eq!(
            of("a=b.toml --as room --zone eu-1 --label ring=canary"),
            "service=room zone=eu-1 label.ring=canary"
        );
        assert_eq!(of("a=b.toml --as room/r1"), "room/r1");
        let both = of("a=b.toml --as room/r1 --zone eu-1");
        assert_eq!(both, "room/r1 has the zone and labels that it opened with: name no others");
        assert_eq!(of("a=b.toml"), "");
    }
}
