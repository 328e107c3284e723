//! What is still to be done so that the files are what the documents say.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use keeper_client_sdk::{EffectiveChanged, EffectiveDocument, Format};
use serde::Serialize;

use super::{
    Kept, command,
    files::{self, Mark, Text},
};
use crate::{admin::Admin, failure::Failure, render, render::Report};

/// Documents that were heard, until their files hold them and the command has run.
#[derive(Debug)]
pub(super) struct Job {
    kept: Vec<Kept>,
    command: Option<String>,
    mark: Mark,
    /// Heard and not yet done.
    pending: BTreeMap<String, EffectiveDocument>,
    /// Replaced, and the command has not been told.
    untold: BTreeSet<PathBuf>,
    /// Of which there is nothing, for this reader, now.
    missing: BTreeSet<String>,
    /// The newest revision heard.
    revision: u64,
    done: bool,
}

impl Job {
    pub(super) fn new(kept: Vec<Kept>, command: Option<String>) -> Self {
        let mark = Mark::beside(kept.first().map_or_else(|| Path::new(""), |kept| kept.file.as_path()));
        Self {
            kept,
            command,
            mark,
            pending: BTreeMap::new(),
            untold: BTreeSet::new(),
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

    /// Takes a change in; what it says of a document replaces what was said before.
    pub(super) fn hear(&mut self, admin: &mut Admin<'_, '_>, frame: EffectiveChanged) {
        self.revision = frame.revision;
        self.done = false;
        let mut missing = self.missing.clone();
        if frame.reset {
            let is_told = |path: &&String| frame.documents.iter().any(|document| document.path == **path);
            missing = self.kept.iter().map(|kept| &kept.path).filter(|path| !is_told(path)).cloned().collect();
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
        for path in missing.difference(&self.missing) {
            admin.console.say(format_args!("there is nothing of {path}: its file stays as it is"));
        }
        self.missing = missing;
    }

    /// Makes the files what was heard, and runs the command if one of them changed.
    pub(super) async fn attempt(&mut self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        let mut texts = Vec::new();
        for kept in &self.kept {
            let Some(document) = self.pending.get(&kept.path) else { continue };
            let text = written(admin, document, kept.format).await?;
            texts.push((document.clone(), Text { file: kept.file.clone(), text }));
        }
        texts.retain(|(_, text)| !text.is_there());
        let changed: Vec<_> = texts.iter().map(|(_, text)| text.clone()).collect();
        if self.command.is_some() && !changed.is_empty() {
            self.mark.set()?;
        }
        files::replace(&changed)?;
        for (document, text) in &texts {
            let EffectiveDocument { path, revision, .. } = document;
            let file = text.file.display().to_string();
            admin.console.print(&Line { path: path.clone(), file, revision: *revision })?;
            self.untold.insert(text.file.clone());
        }
        self.tell().await?;
        self.pending.clear();
        self.done = true;
        Ok(())
    }

    /// Runs the command if it has not heard of a change.
    async fn tell(&mut self) -> Result<(), Failure> {
        let Some(line) = self.command.as_ref().filter(|_| self.mark.is_set()) else { return Ok(()) };
        // After a death it is not known which of them the command was not told of: all of them, then.
        let all = || self.kept.iter().map(|kept| kept.file.as_path()).collect();
        let untold: Vec<&Path> = self.untold.iter().map(PathBuf::as_path).collect();
        let files = if untold.is_empty() { all() } else { untold };
        command::run(line, &files, self.revision).await?;
        self.mark.clear()?;
        self.untold.clear();
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
#[derive(Debug, Serialize)]
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
