//! `keeperctl config apply`: the documents become what a folder says.
//!
//! Promises: one publish, in one revision, against what was seen: every change expects the revision that it was
//! compared with, so that a document that somebody else changes meanwhile refuses the whole. What the folder holds
//! already as it is published is no change. More changes than one publish can hold are refused unless `--in-batches`
//! says that several will do; each of them is whole or not at all.
//!
//! What the folder does not hold stays, unless `--prune` says otherwise; and what is the cluster's own, below
//! `keeper/`, stays even then unless `--prefix` names it: a folder of applications' configs is no statement about grace
//! periods.

use std::{collections::BTreeMap, path::Path};

use keeper_client_sdk::{Document, Edit, Format, Publish};

use crate::{
    admin::Admin,
    args::ApplyConfig,
    config::{
        batch::{self, Sized},
        conflict,
        folder::{self, Misnamed, Walk},
        judging,
        snapshot::{self, Snapshot},
        source,
        verdict::Judged,
    },
    failure::Failure,
    limits, render,
};

/// Where the cluster keeps its own documents.
const OWN: &str = "keeper/";

pub(super) async fn apply(admin: &mut Admin<'_, '_>, typed: &ApplyConfig) -> Result<(), Failure> {
    let wanted = read(admin, typed)?;
    let now = snapshot::of(admin, &typed.prefix).await?;
    let changes = changes(&wanted, &now, typed);
    if changes.is_empty() {
        let revision = now.revision;
        admin.console.say(format_args!("the documents are what {} says, as of revision {revision}", typed.folder));
        return admin.console.print(&Judged::default());
    }
    let count = changes.len();
    let batches = batch::batches(changes);
    if batches.len() > 1 && !typed.in_batches && !typed.dry_run {
        let message = format!(
            "{count} changes are more than one publish can hold: at most {} documents and {} bytes",
            limits::PUBLISH_DOCUMENTS_MAX,
            limits::PUBLISH_BYTES_MAX
        );
        return Err(Failure::refused(message)
            .remedy(format!(
                "make {} publishes of them with `--in-batches`: each is whole or not at all",
                batches.len()
            ))
            .remedy("or apply a part with `--prefix`"));
    }
    let mut judged = Judged::default();
    for batch in batches {
        let batch = publish(admin, typed, batch).await;
        match batch {
            Ok(batch) => judged.and(batch),
            Err(failure) if judged.documents.is_empty() => return Err(failure),
            Err(failure) => {
                admin.console.print_diff(&judged)?;
                return Err(failure.remedy("what is printed stands; the same command goes on from there"));
            }
        }
    }
    admin.console.print_diff(&judged)?;
    judged.objections().iter().for_each(|line| admin.console.say(line));
    let documents = render::counted(count, "document", "documents");
    match judged.revision {
        Some(revision) => admin.console.say(format_args!("published: {documents}, revision {revision}")),
        None if judged.against() == 0 => admin.console.say(format_args!("{documents} would change")),
        None if typed.force.is_some() => admin.console.say(format_args!("{documents} would change, forced")),
        None => return Err(Failure::refused(format!("{}: it would be refused", judged.against_words()))),
    }
    Ok(())
}

/// A document as the folder has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    text: String,
    format: Format,
}

fn read(admin: &mut Admin<'_, '_>, typed: &ApplyConfig) -> Result<BTreeMap<String, Wanted>, Failure> {
    let root = Path::new(&typed.folder);
    let Walk { files, mut passed } = folder::walk(root)?;
    let mut wanted = BTreeMap::new();
    for file in files {
        let (key, format) = match folder::key_of(&file) {
            Ok(document) => document,
            Err(Misnamed::Ending) => {
                passed.push(file);
                continue;
            }
            Err(misnamed) => return Err(Failure::failed(format!("{file} is no document: {}", misnamed.why()))),
        };
        if key.starts_with(&typed.prefix) {
            let text = source::read(&root.join(&file).to_string_lossy())?;
            wanted.insert(key, Wanted { text, format });
        }
    }
    if !passed.is_empty() {
        admin.console.say(format_args!("passed over, for they are no documents: {}", render::list(passed)));
    }
    Ok(wanted)
}

fn changes(wanted: &BTreeMap<String, Wanted>, now: &Snapshot, typed: &ApplyConfig) -> Vec<Sized> {
    let written = wanted.iter().filter_map(|(key, wanted)| {
        let there = now.documents.get(key);
        let is_so = |there: &Document| there.text == wanted.text && there.format == Some(wanted.format);
        if there.is_some_and(is_so) {
            return None;
        }
        let edit = Edit::put(key.clone(), wanted.text.clone()).format(wanted.format);
        let edit = edit.expecting(there.map_or(0, |it| it.revision));
        Some(Sized { edit, path: key.clone(), text_bytes: wanted.text.len() })
    });
    let is_spared = |key: &str| key.starts_with(OWN) && !typed.prefix.starts_with(OWN);
    let gone = now.documents.values().filter(|there| !wanted.contains_key(&there.path) && !is_spared(&there.path));
    // What no file can hold is not missing in the folder.
    let gone = gone.filter(|there| folder::file_of(&there.path, there.format.unwrap_or(Format::Json)).is_ok());
    let removed = gone.map(|there| Sized {
        edit: Edit::delete(there.path.clone()).expecting(there.revision),
        path: there.path.clone(),
        text_bytes: 0,
    });
    let pruned: Vec<_> = if typed.prune { removed.collect() } else { Vec::new() };
    written.chain(pruned).collect()
}

async fn publish(admin: &mut Admin<'_, '_>, typed: &ApplyConfig, batch: Vec<Sized>) -> Result<Judged, Failure> {
    let paths: Vec<_> = batch.iter().map(|change| change.path.clone()).collect();
    let mut publish = batch.into_iter().fold(Publish::default(), |publish, change| publish.and(change.edit));
    publish = publish.author(admin.author.clone()).message(typed.reason.message.clone());
    if let Some(reason) = &typed.force {
        publish = publish.forced(reason.clone());
    }
    let configs = admin.keeper.configs();
    let done = if typed.dry_run {
        judging::able(admin).await?;
        configs.dry_run(publish).await.map(Judged::asked)
    } else {
        configs.publish(publish).await.map(Judged::done)
    };
    done.map_err(|error| {
        let is_late = conflict::is_one(&error);
        let failure = batch::refused(error, &paths, "keeperctl config list");
        if !is_late {
            return failure;
        }
        failure.remedy("somebody changed one of the documents meanwhile: the same command compares anew")
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        args::{ConfigVerb, Noun, Typed},
        config::changes::tests::document,
    };

    fn typed(line: &str) -> ApplyConfig {
        let typed =
            Typed::try_parse_from(["keeperctl", "config", "apply", "x"].into_iter().chain(line.split_whitespace()));
        match typed.map(|typed| typed.noun) {
            Ok(Noun::Config { verb: ConfigVerb::Apply(apply) }) => apply,
            other => panic!("not `apply`: {other:?}"),
        }
    }

    fn told(line: &str) -> Vec<String> {
        let there = ["same.toml", "other.toml", "gone.toml", "keeper/sessions", ".hidden.toml"];
        let documents = there.map(|path| (path.to_owned(), document(path, 9, "{}"))).into();
        let now = Snapshot { revision: 20, documents };
        let same = Wanted { text: "# {}\n".into(), format: Format::Toml };
        let yaml = Wanted { format: Format::Yaml, ..same.clone() };
        let wanted = [("same.toml", same.clone()), ("other.toml", yaml), ("new.toml", same)];
        let wanted = wanted.map(|(path, wanted)| (path.to_owned(), wanted)).into();
        changes(&wanted, &now, &typed(line)).into_iter().map(|change| change.path).collect()
    }

    #[test]
    fn what_differs_is_written_and_what_is_missing_stays_unless_it_is_pruned() {
        assert_eq!(told(""), ["new.toml", "other.toml"]);
        assert_eq!(told("--prune"), ["new.toml", "other.toml", "gone.toml"]);
        assert!(told("--prune --prefix keeper/").contains(&"keeper/sessions".to_owned()));
    }
}
