//! `keeperctl config sync`: files that are kept what documents say, for processes that cannot ask by themselves.
//!
//! An agent that runs for as long as its host does. It follows the effective documents of one reader over whichever
//! node answers, and tries for ever: a node that dies is another node's turn. Promises:
//!
//! - a file is replaced whole or not at all, and the files of one publish together (see [`files`]);
//! - the command runs once for all that changed together, after the files are there, and again until it succeeds or a
//!   newer change takes its turn; a death in between makes the next agent run it (at least once, then);
//! - a value that the file's format cannot hold, a document that is deleted, a full disk: the files stay as they are,
//!   the agent says why and goes on.
//!
//! What a file holds is the merged value, written anew in the file's format: comments belong to layers and do not
//! survive. Secrets are open in it, for the process that reads it.

mod command;
mod files;
mod job;

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

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

    /// Makes the files what the documents say now.
    async fn once(&mut self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        let first = time::timeout(admin.timeout, self.next()).await;
        let first = first.map_err(|_| Failure::unserved(format!("no node answered within {:?}", admin.timeout)))??;
        self.job.hear(admin, first);
        self.job.attempt(admin).await?;
        self.job.complete()
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
                    self.job.hear(admin, frame);
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
    let mut files = BTreeSet::new();
    let mut kept = Vec::new();
    for pair in &typed.pairs {
        let format = typed.format.map(Format::from).or_else(|| folder::format_of(&pair.file));
        let format = format.ok_or_else(|| {
            Failure::failed(format!("the ending of {} names no format", pair.file))
                .remedy("name it with `--format`: toml, yaml, json or ini")
        })?;
        let file = std::path::absolute(&pair.file)
            .map_err(|error| Failure::failed(format!("{} is no path: {error}", pair.file)))?;
        if !files.insert(file.clone()) {
            return Err(Failure::failed(format!("{} is to be two documents", pair.file)));
        }
        kept.push(Kept { path: pair.path.clone(), file, format });
    }
    Ok(kept)
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
