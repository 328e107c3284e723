//! What is still to be done so that the files are what the documents say.
//!
//! Documents that were published together have one revision, and their files are replaced together or not at all; what
//! holds back one publish holds back no other. A file that was replaced is told to the command once all of its publish
//! are: if a rename fails in the middle, the command runs when the others are there, and hears of every one of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use keeper_client_sdk::{EffectiveChanged, EffectiveDocument, Format};
use serde::Serialize;
use tokio::time;

use super::{
    Kept, command,
    files::{Fresh, Text},
    mark::Mark,
    target,
};
use crate::{admin::Admin, failure::Failure, render, render::Report};

/// Documents that were heard, until their files hold them and the command has run.
#[derive(Debug)]
pub(super) struct Job {
    kept: Vec<Kept>,
    command: Option<String>,
    /// Heard and not yet done.
    pending: BTreeMap<String, EffectiveDocument>,
    /// Replaced, or being replaced, and the command has not been told.
    untold: BTreeMap<PathBuf, Untold>,
    /// Of which there is nothing, for this reader, now.
    missing: BTreeSet<String>,
    /// The newest revision heard.
    revision: u64,
    done: bool,
}

/// What the command has yet to hear of a file.
#[derive(Debug)]
struct Untold {
    /// Of what it holds.
    revision: u64,
    /// Says the same to whoever comes after a death.
    mark: Mark,
}

/// What was published together, on its way to its files.
#[derive(Debug, Default)]
struct Together {
    paths: BTreeSet<String>,
    texts: Vec<(String, Text)>,
    failures: Vec<Failure>,
}

impl Job {
    pub(super) fn new(kept: Vec<Kept>, command: Option<String>) -> Self {
        Self {
            kept,
            command,
            pending: BTreeMap::new(),
            untold: BTreeMap::new(),
            missing: BTreeSet::new(),
            revision: 0,
            done: true,
        }
    }

    /// Whether there is nothing to do until something changes.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Whether any node has said anything yet.
    pub(super) const fn has_heard(&self) -> bool {
        self.revision > 0
    }

    /// Takes a change in; what it says of a document replaces what was said before. The answer: of which documents
    /// there is nothing since.
    pub(super) fn hear(&mut self, frame: EffectiveChanged) -> Vec<String> {
        let is_first = !self.has_heard();
        self.revision = frame.revision;
        self.done = false;
        let mut missing = self.missing.clone();
        if frame.reset {
            let is_told = |path: &&String| frame.documents.iter().any(|document| document.path == **path);
            missing = self.kept.iter().map(|kept| &kept.path).filter(|path| !is_told(path)).cloned().collect();
            self.pending.retain(|path, _| !missing.contains(path));
        }
        for document in frame.documents {
            missing.remove(&document.path);
            if document.deleted {
                self.pending.remove(&document.path);
                missing.insert(document.path);
            } else {
                self.pending.insert(document.path.clone(), document);
            }
        }
        let gone = missing.difference(&self.missing).cloned().collect();
        self.missing = missing;
        if is_first {
            self.inherit();
        }
        gone
    }

    /// Takes over of which files somebody died before the command had heard of them.
    fn inherit(&mut self) {
        if self.command.is_none() {
            return;
        }
        for kept in &self.kept {
            let Ok(target) = target::of(&kept.file) else { continue };
            let mark = Mark::beside(&target);
            if mark.is_set() {
                let revision = self.pending.get(&kept.path).map_or(0, |document| document.revision);
                self.untold.insert(kept.file.clone(), Untold { revision, mark });
            }
        }
    }

    /// Makes the files what was heard, and runs the command if one of them changed. What fails holds back what was
    /// published with it, and nothing else.
    pub(super) async fn attempt(&mut self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        if !self.has_heard() {
            return Ok(());
        }
        let mut failures = Vec::new();
        for (revision, together) in self.together(admin).await {
            let (lines, failed) = self.replace(revision, together);
            for line in lines {
                admin.console.print(&line)?;
            }
            failures.extend(failed);
        }
        failures.extend(self.tell(admin).await.err());
        self.done = failures.is_empty();
        all_of(failures)
    }

    /// What is pending, by publish.
    async fn together(&self, admin: &Admin<'_, '_>) -> BTreeMap<u64, Together> {
        let mut all = BTreeMap::<u64, Together>::new();
        for kept in &self.kept {
            let Some(document) = self.pending.get(&kept.path) else { continue };
            let text = match target(&self.kept, kept) {
                Ok(target) => written(admin, document, kept.format).await.map(|text| (target, text)),
                Err(failure) => Err(failure),
            };
            let together = all.entry(document.revision).or_default();
            together.paths.insert(kept.path.clone());
            match text {
                Ok((target, text)) => {
                    together.texts.push((kept.path.clone(), Text { file: kept.file.clone(), target, text }));
                }
                Err(failure) => together.failures.push(failure),
            }
        }
        all
    }

    /// Makes the files of one publish what they are to be: what was replaced, and why not all of it was.
    fn replace(&mut self, revision: u64, together: Together) -> (Vec<Line>, Vec<Failure>) {
        let Together { paths, texts, mut failures } = together;
        let mut fresh = Vec::new();
        for (path, text) in texts {
            if text.is_there() {
                text.sweep();
                continue;
            }
            match text.write() {
                Ok(text) => fresh.push((path, text)),
                Err(failure) => failures.push(failure),
            }
        }
        let mut lines = Vec::new();
        if failures.is_empty() {
            lines = self.place(revision, fresh, &mut failures);
        }
        if failures.is_empty() {
            self.pending.retain(|path, _| !paths.contains(path));
        } else if paths.len() > 1 {
            let told = format!("what was published together is held back together: {}", render::list(&paths));
            failures = failures.into_iter().map(|failure| failure.remedy(told.clone())).collect();
        }
        (lines, failures)
    }

    /// Renames one after the other. The first that fails keeps the others as they are.
    fn place(&mut self, revision: u64, mut fresh: Vec<(String, Fresh)>, failures: &mut Vec<Failure>) -> Vec<Line> {
        let mut lines = Vec::new();
        for (path, fresh) in &mut fresh {
            if let Err(failure) = self.announce(revision, &fresh.text).and_then(|()| fresh.place()) {
                failures.push(failure);
                break;
            }
            lines.push(Line { path: path.clone(), file: fresh.text.file.display().to_string(), revision });
        }
        let kept = fresh.iter().take(lines.len()).map(|(_, fresh)| fresh.keep());
        failures.extend(kept.filter_map(Result::err));
        lines
    }

    /// Notes that the command is to hear of a file.
    fn announce(&mut self, revision: u64, text: &Text) -> Result<(), Failure> {
        if self.command.is_none() {
            return Ok(());
        }
        let mark = Mark::beside(&text.target);
        mark.set()?;
        self.untold.insert(text.file.clone(), Untold { revision, mark });
        Ok(())
    }

    /// Runs the command if it has not heard of a change that is whole.
    async fn tell(&mut self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        let Some(line) = self.command.clone() else { return Ok(()) };
        let files = self.to_tell();
        if files.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = files.iter().map(PathBuf::as_path).collect();
        let mut run = Box::pin(command::run(&line, &names, self.revision));
        let done = match time::timeout(admin.timeout, &mut run).await {
            Ok(done) => done,
            Err(_) => {
                let time = humantime::format_duration(admin.timeout);
                admin.console.say(format_args!("`{line}` has been running for {time}; it is waited for"));
                run.await
            }
        };
        done?;
        self.told(&files)
    }

    /// The files of which the command has not heard, and of whose publish none is still to be replaced.
    fn to_tell(&self) -> BTreeSet<PathBuf> {
        let half: BTreeSet<_> = self.pending.values().map(|document| document.revision).collect();
        let is_whole = |untold: &Untold| !half.contains(&untold.revision);
        self.untold.iter().filter(|(_, untold)| is_whole(untold)).map(|(file, _)| file.clone()).collect()
    }

    fn told(&mut self, files: &BTreeSet<PathBuf>) -> Result<(), Failure> {
        for file in files {
            if let Some(untold) = self.untold.remove(file) {
                untold.mark.clear()?;
            }
        }
        Ok(())
    }

    /// Whether every file is what its document says.
    pub(super) fn complete(&self) -> Result<(), Failure> {
        if self.missing.is_empty() {
            return Ok(());
        }
        Err(Failure::refused(format!("there is nothing of {}", render::list(&self.missing))))
    }
}

/// The file to be replaced, if it is that of one document alone: where links lead may have changed since the start.
fn target(all: &[Kept], kept: &Kept) -> Result<PathBuf, Failure> {
    let own = target::of(&kept.file)?;
    let identity = target::identity(&own)?;
    let is_same = |other: &&Kept| {
        let there = target::of(&other.file).and_then(|there| target::identity(&there));
        other.file != kept.file && there.is_ok_and(|there| there == identity)
    };
    match all.iter().find(is_same) {
        Some(other) => Err(super::two_paths(&kept.file, &other.file)),
        None => Ok(own),
    }
}

/// One failure that tells of all of them.
fn all_of(failures: Vec<Failure>) -> Result<(), Failure> {
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else { return Ok(()) };
    Err(failures.fold(first, |all, more| {
        let Failure { message, remedies, .. } = more;
        let all = all.remedy(format!("error: {message}"));
        remedies
            .into_iter()
            .fold(all, |all, remedy| if all.remedies.contains(&remedy) { all } else { all.remedy(remedy) })
    }))
}

/// A value in the format of its file: the servers write it, as they read it.
async fn written(admin: &Admin<'_, '_>, document: &EffectiveDocument, format: Format) -> Result<String, Failure> {
    let value = String::from_utf8(document.canonical.to_vec())
        .map_err(|_| Failure::failed(format!("{} came as no text", document.path)))?;
    let converted = admin.keeper.configs().convert(value, Format::Json, format).await;
    converted.map_err(|error| {
        let failure = Failure::from(error);
        Failure {
            message: format!("{} cannot be written as {}: {}", document.path, format.as_str(), failure.message),
            ..failure
        }
    })
}

/// A file that was replaced.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    path: String,
    file: String,
    revision: u64,
}

impl Report for Line {
    fn table(&self) -> String {
        render::printable(&format!("{} at revision {} -> {}", self.path, self.revision, self.file)) + "\n"
    }
}

#[cfg(test)]
mod tests;
