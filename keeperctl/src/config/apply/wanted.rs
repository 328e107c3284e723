//! What a folder says.
//!
//! Every file is a document or is told: what is passed over by name, what is none with all of its like, so that a
//! folder is mended once and not file after file.

use std::{collections::BTreeMap, path::Path};

use keeper_client_sdk::Format;

use crate::{
    args::ApplyConfig,
    config::{
        folder::{self, Misnamed, Walk},
        scope, source,
    },
    failure::Failure,
    render,
};

/// A document as the folder has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Below the folder.
    pub(super) file: String,
    pub(super) text: String,
    pub(super) format: Format,
}

/// A folder's documents, and the names that were passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) documents: BTreeMap<String, Wanted>,
    pub(super) passed: Vec<String>,
}

impl Folder {
    /// Reads those at a prefix or below it; of the others the names alone.
    pub(super) fn read(typed: &ApplyConfig) -> Result<Self, Failure> {
        let root = Path::new(&typed.folder);
        let Walk { files, passed } = folder::walk(root)?;
        let mut read = Self { documents: BTreeMap::new(), passed };
        let mut files_of = BTreeMap::new();
        let mut wrong = Vec::new();
        for file in files {
            let (key, format) = match folder::key_of(&file) {
                Ok(document) => document,
                Err(Misnamed::Ending) => {
                    read.passed.push(file);
                    continue;
                }
                Err(misnamed) => {
                    wrong.push(Failure::failed(format!("{file} is no document: {}", misnamed.why())));
                    continue;
                }
            };
            if let Some(other) = files_of.insert(key.clone(), file.clone()) {
                wrong.push(Failure::failed(format!("{other} and {file} are both {key}: one of them has to go")));
            } else if scope::holds(&typed.prefix, &key) {
                match source::read(&root.join(&file).to_string_lossy()) {
                    Ok(text) => drop(read.documents.insert(key, Wanted { file, text, format })),
                    Err(failure) => wrong.push(failure),
                }
            }
        }
        match all_of(wrong) {
            Some(failure) => Err(failure),
            None => Ok(read),
        }
    }

    /// Whether what was passed over may hold a document, under another name than it would have to have: a link to a
    /// folder leads to all that is below it, and `a.YAML` is a document for whoever wrote it.
    pub(super) fn may_hold(&self, key: &str, format: Format) -> bool {
        let file = folder::file_of(key, format).unwrap_or_default();
        let names = [key.to_ascii_lowercase(), file.to_ascii_lowercase()];
        let is_at = |passed: &str| names.iter().any(|name| scope::holds(passed, name));
        self.passed.iter().any(|passed| is_at(&passed.to_ascii_lowercase()))
    }
}

/// One failure that tells of each file.
pub(super) fn all_of(mut wrong: Vec<Failure>) -> Option<Failure> {
    if wrong.len() < 2 {
        return wrong.pop();
    }
    let kind = wrong.first()?.kind;
    let message = format!("{} cannot be applied, so nothing was", render::counted(wrong.len(), "file", "files"));
    let all = Failure { kind, message, remedies: Vec::new() };
    let told = |all: Failure, Failure { message, remedies, .. }| {
        remedies.into_iter().fold(all.remedy(message), Failure::remedy)
    };
    Some(wrong.into_iter().fold(all, told))
}

#[cfg(test)]
pub(super) mod tests {
    use std::{fs, os::unix::fs::symlink};

    use clap::Parser;

    use super::*;
    use crate::args::{ConfigVerb, Noun, Typed};

    pub(in crate::config::apply) fn typed(folder: &str, line: &str) -> ApplyConfig {
        let words = ["keeperctl", "config", "apply", folder].into_iter().chain(line.split_whitespace());
        match Typed::try_parse_from(words).map(|typed| typed.noun) {
            Ok(Noun::Config { verb: ConfigVerb::Apply(apply) }) => apply,
            other => panic!("not `apply`: {other:?}"),
        }
    }

    fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a folder")).expect("room for it");
            fs::write(file, bytes).expect("room for it");
        }
        folder
    }

    fn read(folder: &tempfile::TempDir, line: &str) -> Result<Folder, Failure> {
        Folder::read(&typed(&folder.path().to_string_lossy(), line))
    }

    #[test]
    fn two_files_of_one_document_are_refused_by_both_names() {
        let folder = folder_of(&[("app/s.toml", b"a = 1\n"), ("app/s.toml+.yaml", b"a: 1\n")]);
        let refused = read(&folder, "").expect_err("which one?").message;
        assert_eq!(refused, "app/s.toml and app/s.toml+.yaml are both app/s.toml: one of them has to go");
    }

    #[test]
    fn every_file_that_is_none_is_named_at_once() {
        let folder = folder_of(&[("a+b.toml", b""), ("c.toml", b"\xff"), ("d.toml", b"")]);
        let refused = read(&folder, "").expect_err("two are none");
        assert_eq!(refused.message, "2 files cannot be applied, so nothing was");
        assert!(refused.remedies[0].starts_with("a+b.toml is no document: "), "{:?}", refused.remedies);
        assert!(refused.remedies[1].ends_with("c.toml is not UTF-8: byte 0, in line 1, begins no character"));
    }

    #[test]
    fn what_is_passed_over_may_hold_documents() {
        let folder = folder_of(&[("g/b.YAML", b"a: 1\n"), ("notes/README.md", b""), ("x/c.toml", b"")]);
        symlink("../x", folder.path().join("g/link")).expect("a link");
        let read = read(&folder, "").expect("a folder");
        assert_eq!(read.passed, ["g/link", "g/b.YAML", "notes/README.md"]);
        for key in ["g/link/c.toml", "g/link/deep/c.toml@zone=eu", "g/b.yaml", "notes/README.md"] {
            assert!(read.may_hold(key, Format::Yaml), "{key}");
        }
        for key in ["g/a.yaml", "g/links/c.toml", "notes/a.yaml", "x/d.toml"] {
            assert!(!read.may_hold(key, Format::Yaml), "{key}");
        }
    }
}
