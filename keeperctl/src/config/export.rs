//! `keeperctl config export`: documents as a folder that `apply` reads.
//!
//! Promises: the files are the documents of one revision, and applying the folder as it is changes nothing. A file that
//! is so already is not touched, others are replaced whole or not at all. Every document has one file name (see
//! `folder`); one that cannot have any, or that another one's folder is in the way of, is named and left out, with exit
//! code 1. Files of other names are never touched, and those of documents that are gone only with `--prune`.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use keeper_client_sdk::{Document, Format};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::{
    admin::Admin,
    args::ExportConfig,
    config::{folder, scope, snapshot},
    failure::Failure,
    render::{self, Report},
};

pub(super) async fn export(admin: &mut Admin<'_, '_>, typed: &ExportConfig) -> Result<(), Failure> {
    let snapshot = snapshot::of(admin, &typed.prefix).await?;
    if snapshot.documents.is_empty() {
        let at = if typed.prefix.is_empty() { String::new() } else { format!(" at or below {}", typed.prefix) };
        admin.console.say(format_args!("there is no document{at}, as of revision {}", snapshot.revision));
    }
    let root = Path::new(&typed.folder);
    fs::create_dir_all(root).map_err(|error| Failure::failed(format!("cannot make {}: {error}", root.display())))?;
    let Planned { files, left } = plan(snapshot.documents.into_values());
    let mut exported = Exported { revision: snapshot.revision, files: Vec::new(), left };
    if typed.prune {
        exported.files.extend(prune(root, &typed.prefix, &files)?);
    }
    for (file, document) in files {
        let change = write(root, &file, &document.text)?;
        exported.files.push(Row { path: document.path, file, change });
    }
    exported.files.sort_by(|a, b| a.file.cmp(&b.file));
    admin.console.print(&exported)?;
    if exported.left.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(render::counted(exported.left.len(), "document has no file", "documents have no file")))
}

/// Which document is in which file.
#[derive(Debug, Default)]
struct Planned {
    files: BTreeMap<String, Document>,
    left: Vec<Left>,
}

fn plan(documents: impl IntoIterator<Item = Document>) -> Planned {
    let mut planned = Planned::default();
    for document in documents {
        match folder::file_of(&document.path, document.format.unwrap_or(Format::Json)) {
            Ok(file) => drop(planned.files.insert(file, document)),
            Err(misnamed) => planned.left.push(Left { path: document.path, why: misnamed.why().to_owned() }),
        }
    }
    // `a.toml` is no file where `a.toml/b.toml` is to be: the one further up is left out.
    let is_folder = |file: &String| planned.files.keys().any(|other| other.starts_with(&format!("{file}/")));
    let in_the_way: Vec<_> = planned.files.keys().filter(|file| is_folder(file)).cloned().collect();
    for file in in_the_way {
        if let Some(document) = planned.files.remove(&file) {
            let why = format!("{file} is to be a folder for documents below it");
            planned.left.push(Left { path: document.path, why });
        }
    }
    planned
}

/// Removes the files of documents that are there no more.
fn prune(root: &Path, prefix: &str, files: &BTreeMap<String, Document>) -> Result<Vec<Row>, Failure> {
    let mut removed = Vec::new();
    for file in folder::walk(root)?.files {
        let Ok((path, _)) = folder::key_of(&file) else { continue };
        if files.contains_key(&file) || !scope::holds(prefix, &path) {
            continue;
        }
        fs::remove_file(root.join(&file)).map_err(|error| Failure::failed(format!("cannot remove {file}: {error}")))?;
        removed.push(Row { path, file, change: Change::Removed });
    }
    Ok(removed)
}

fn write(root: &Path, file: &str, text: &str) -> Result<Change, Failure> {
    let failed = |error: io::Error| Failure::failed(format!("cannot write {file}: {error}"));
    let target: PathBuf = root.join(file);
    let before = fs::read(&target).ok();
    if before.as_deref() == Some(text.as_bytes()) {
        return Ok(Change::Unchanged);
    }
    let parent = target.parent().unwrap_or(root);
    fs::create_dir_all(parent).map_err(failed)?;
    let mut fresh = NamedTempFile::new_in(parent).map_err(failed)?;
    fresh.write_all(text.as_bytes()).map_err(failed)?;
    fresh.persist(&target).map_err(|error| failed(error.error))?;
    Ok(if before.is_some() { Change::Changed } else { Change::Written })
}

#[derive(Debug, Serialize)]
struct Exported {
    revision: u64,
    files: Vec<Row>,
    left: Vec<Left>,
}

#[derive(Debug, Serialize)]
struct Row {
    path: String,
    file: String,
    change: Change,
}

#[derive(Debug, Serialize)]
struct Left {
    path: String,
    why: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    Written,
    Changed,
    Unchanged,
    Removed,
}

impl Report for Exported {
    fn table(&self) -> String {
        let cells = |row: &Row| {
            let change = match row.change {
                Change::Written => "written",
                Change::Changed => "changed",
                Change::Unchanged => "unchanged",
                Change::Removed => "removed",
            };
            [row.path.clone(), row.file.clone(), change.to_owned()]
        };
        let files = render::table(["DOCUMENT", "FILE", "CHANGE"], self.files.iter().map(cells));
        let left = self.left.iter().map(|left| [left.path.clone(), left.why.clone()]);
        render::sections([files, render::table(["NOT EXPORTED", "WHY"], left)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::changes::tests::document;

    #[test]
    fn a_document_in_the_way_of_a_folder_is_named() {
        let documents = ["a.toml", "a.toml/b.toml", ".c/d.toml", "e.toml"].map(|path| document(path, 9, "{}"));
        let planned = plan(documents);
        assert_eq!(planned.files.keys().collect::<Vec<_>>(), ["a.toml/b.toml", "e.toml"]);
        let left: Vec<_> = planned.left.iter().map(|left| left.path.as_str()).collect();
        assert_eq!(left, [".c/d.toml", "a.toml"]);
    }

    #[test]
    fn files_are_replaced_whole_and_strangers_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        assert_eq!(write(root, "push/a.toml", "a = 1\n"), Ok(Change::Written));
        assert_eq!(write(root, "push/a.toml", "a = 1\n"), Ok(Change::Unchanged));
        assert_eq!(write(root, "push/a.toml", "a = 2\n"), Ok(Change::Changed));
        assert_eq!(write(root, "b.toml", ""), Ok(Change::Written));
        assert_eq!(fs::read_to_string(root.join("push/a.toml")).ok().as_deref(), Some("a = 2\n"));
        fs::write(root.join("push/README.md"), "words").expect("room for it");
        let removed = prune(root, "push/", &BTreeMap::new()).expect("a folder");
        assert_eq!(removed.iter().map(|row| row.file.as_str()).collect::<Vec<_>>(), ["push/a.toml"]);
        assert!(root.join("push/README.md").exists() && root.join("b.toml").exists());
    }
}
