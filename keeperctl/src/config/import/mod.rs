//! `keeperctl config import`: documents out of etcd, Nacos, Apollo or a folder.
//!
//! Promises: nothing that a source holds is left out in silence. What cannot be a document is told by its name and why,
//! and then nothing is published at all, unless `--skip` says that the others are wanted without it. What is published
//! is published against what was seen: a document that exists is not overwritten unasked, nor one that somebody changes
//! meanwhile. More documents than one publish may hold are several publishes, each whole or not at all, and it says so.
//!
//! Formats are read by the servers alone, and only they judge: they are asked about every document before the first is
//! published, and `--dry-run` tells what they answer.

mod apollo;
mod archive;
mod etcd;
mod item;
mod judge;
mod nacos;
mod plan;
mod properties;
mod report;

use std::{borrow::Cow, ffi::OsStr, path::Path};

use keeper_client_sdk::{Edit, Format};
use serde_json::Value;

use crate::{
    admin::Admin,
    args::{ImportConfig, ImportSource},
    config::{
        batch::{self, Sized},
        folder::{self, Walk},
        judging,
        snapshot::{self, Snapshot},
        source,
    },
    failure::Failure,
    limits, render,
};
use archive::Unpacked;
use item::Item;
use judge::Judgement;
use plan::{Found, Left, Rules};
use report::{Becomes, Imported, Row};

pub(super) async fn import(admin: &mut Admin<'_, '_>, typed: &ImportConfig) -> Result<(), Failure> {
    let (items, mut left) = gather(admin, typed).await?;
    let rules = Rules {
        strip: typed.strip.clone(),
        prefix: typed.prefix.clone(),
        renamed: typed.renames.iter().cloned().collect(),
        format: typed.format.map(Format::from),
        apollo: typed.from == ImportSource::Apollo,
    };
    let unmatched = rules.unmatched(&items);
    if !unmatched.is_empty() {
        let message = "an option matches nothing, so nothing was published";
        return Err(unmatched.into_iter().fold(Failure::failed(message), Failure::remedy));
    }
    let (mut found, unfit) = plan::plan(items, &rules);
    left.extend(unfit);
    let is_judged = judging::is_answered(admin).await?;
    if !is_judged {
        found = judge::sound(admin, found, &mut left).await?;
    }
    let now = snapshot::of(admin, "").await?;
    let mut imported = Imported::default();
    let mut changes = Vec::new();
    for document in found {
        let becomes = Becomes::of(&document, &now);
        if becomes == Becomes::Changed && !typed.overwrite {
            left.push(Left::new(document.name, format!("{} exists: `--overwrite` replaces it", document.path)));
            continue;
        }
        imported.documents.push(Row::of(&document, becomes));
        if becomes != Becomes::Unchanged {
            changes.push(sized(document, &now));
        }
    }
    imported.left = left;
    if is_judged {
        let Judgement { changes: sound, wrong, judged } = judge::judge(admin, changes).await?;
        changes = sound;
        wrong.into_iter().for_each(|(path, why)| imported.leave(&path, why));
        imported.judged(judged);
    }
    finish(admin, typed, changes, imported).await
}

/// Publishes, or says what would be.
async fn finish(
    admin: &mut Admin<'_, '_>,
    typed: &ImportConfig,
    changes: Vec<Sized>,
    mut imported: Imported,
) -> Result<(), Failure> {
    let against = imported.objections_in_words();
    if !imported.left.is_empty() && !typed.skip {
        admin.console.print(&imported)?;
        against.iter().for_each(|line| admin.console.say(format_args!("speaks against it: {line}")));
        let message = format!("{} cannot be taken as they are, so nothing was published", imported.left.len());
        return Err(Failure::refused(message).remedy("take the others with `--skip`"));
    }
    if !typed.dry_run {
        publish(admin, typed, changes, &mut imported).await?;
        return admin.console.print(&imported);
    }
    admin.console.print(&imported)?;
    if against.is_empty() {
        return Ok(());
    }
    let things = render::counted(imported.against(), "thing speaks against it", "things speak against it");
    let failure = Failure::refused(format!("{things}: it would be refused"));
    Err(against.into_iter().fold(failure, Failure::remedy))
}

/// Everything in the source, and what is in it that can be nothing.
async fn gather(admin: &mut Admin<'_, '_>, typed: &ImportConfig) -> Result<(Vec<Item>, Vec<Left>), Failure> {
    let name = typed.source.as_str();
    if Path::new(name).is_dir() {
        return match typed.from {
            ImportSource::Folder | ImportSource::Apollo => of_folder(admin, typed).map(|items| (items, Vec::new())),
            ImportSource::Etcd | ImportSource::Nacos => {
                Err(Failure::failed(format!("{name} is a folder")).remedy("import it with `import folder`"))
            }
        };
    }
    let bytes = source::bytes(name, limits::IMPORT_BYTES_MAX)?;
    match typed.from {
        ImportSource::Etcd => etcd::read(&bytes).map(|items| (items, Vec::new())),
        ImportSource::Nacos => {
            let unpacked = archive::unpack(&bytes).map_err(|failure| no_export(name, failure))?;
            let metadata =
                unpacked.files.iter().find(|file| file.name == nacos::METADATA).map(|file| file.bytes.clone());
            let metadata = match metadata {
                Some(yaml) => Some(value_of(admin, yaml).await?),
                None => None,
            };
            nacos::read(unpacked, metadata)
        }
        ImportSource::Apollo if archive::is_zip(&bytes) => {
            let Unpacked { files, repeated } = archive::unpack(&bytes)?;
            let files = files.into_iter().filter(|file| !file.name.ends_with(".metadata"));
            Ok((files.map(|file| apollo::item(&file.name, file.bytes)).collect(), Left::repeated(repeated)))
        }
        ImportSource::Apollo => {
            // Where the file lies on this machine says nothing of the namespace.
            let file = Path::new(name).file_name().map_or(Cow::Borrowed(name), OsStr::to_string_lossy);
            Ok((vec![apollo::item(&file, bytes)], Vec::new()))
        }
        ImportSource::Folder => Err(Failure::failed(format!("{name} is no folder"))
            .remedy("publish a file with `keeperctl config put PATH FILE`")),
    }
}

fn no_export(name: &str, failure: Failure) -> Failure {
    let message = format!("{name}: {}", failure.message);
    Failure { message, ..failure }
        .remedy("`import nacos` takes the zip that its console exports: nacos_config_export_DATE.zip, say")
        .remedy("files by themselves are taken by `import folder`, what `etcdctl` prints by `import etcd`")
}

fn of_folder(admin: &mut Admin<'_, '_>, typed: &ImportConfig) -> Result<Vec<Item>, Failure> {
    let root = Path::new(&typed.source);
    let Walk { files, passed } = folder::walk(root)?;
    if !passed.is_empty() {
        admin.console.say(format_args!("passed over: {}", passed.join(", ")));
    }
    let item = |name: String| {
        let bytes = source::take(&root.join(&name).to_string_lossy(), limits::DOCUMENT_BYTES_MAX + 1)?;
        Ok(match typed.from {
            ImportSource::Apollo => apollo::item(&name, bytes),
            ImportSource::Folder | ImportSource::Etcd | ImportSource::Nacos => {
                Item { path: name.clone(), name, bytes, says: None }
            }
        })
    };
    files.into_iter().map(item).collect()
}

/// What the servers read in a text of YAML.
async fn value_of(admin: &Admin<'_, '_>, yaml: Vec<u8>) -> Result<Value, Failure> {
    let text = String::from_utf8(yaml).map_err(|_| Failure::failed(format!("{} is not UTF-8", nacos::METADATA)))?;
    let linted = admin.keeper.configs().lint("metadata.yml", Some(Format::Yaml), text).await?;
    serde_json::from_slice(&linted.canonical)
        .map_err(|error| Failure::failed(format!("the answer held no value: {error}")))
}

fn sized(document: Found, now: &Snapshot) -> Sized {
    let Found { path, format, text, .. } = document;
    let revision = now.documents.get(&path).map_or(0, |there| there.revision);
    let text_bytes = text.len();
    Sized { edit: Edit::put(path.clone(), text).format(format).expecting(revision), path, text_bytes }
}

async fn publish(
    admin: &mut Admin<'_, '_>,
    typed: &ImportConfig,
    changes: Vec<Sized>,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let batches = batch::batches(changes);
    if batches.len() > 1 {
        admin.console.say(format_args!(
            "more than one publish can hold: {} publishes of at most {} documents, each whole or not at all",
            batches.len(),
            limits::PUBLISH_DOCUMENTS_MAX
        ));
    }
    batch::publish(admin, batches, &typed.reason, |paths, revision| imported.stands(paths, revision)).await
}
