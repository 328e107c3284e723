//! `keeperctl config apply`: the documents become what a folder says.
//!
//! Promises: one publish, in one revision, against what was seen: every change expects the revision that it was
//! compared with, so that a document that somebody else changes meanwhile refuses the whole. What the folder holds
//! already as it is published is no change. More changes than one publish can hold are refused unless `--in-batches`
//! says that several will do; each of them is whole or not at all.
//!
//! What the folder does not hold stays, unless `--prune` says otherwise; and what is the cluster's own, below
//! `keeper/`, stays even then unless `--prefix` names it: a folder of applications' configs is no statement about grace
//! periods. So does what may lie in what was passed over; and a folder without a document is more often the wrong one
//! than the wish to have none.

mod unsound;
mod wanted;

use keeper_client_sdk::{Document, Edit, Error, Format, Publish};

use crate::{
    admin::Admin,
    args::ApplyConfig,
    config::{
        batch::{self, Sized},
        conflict, folder, judging, scope,
        snapshot::{self, Snapshot},
        verdict::Judged,
    },
    failure::Failure,
    limits, render,
};
use wanted::Folder;

/// Where the cluster keeps its own documents.
const OWN: &str = "keeper/";

/// What tells what a publish that may have happened did.
const LOOK: &str = "keeperctl config list";

pub(super) async fn apply(admin: &mut Admin<'_, '_>, typed: &ApplyConfig) -> Result<(), Failure> {
    let folder = Folder::read(typed)?;
    if !folder.passed.is_empty() {
        admin.console.say(format_args!("passed over, for they are no documents: {}", render::list(&folder.passed)));
    }
    let now = snapshot::of(admin, &typed.prefix).await?;
    let Plan { changes, spared } = plan(&folder, &now, typed)?;
    if !spared.is_empty() {
        let spared = render::list(&spared);
        admin.console.say(format_args!("not removed, for what was passed over may hold them: {spared}"));
    }
    if changes.is_empty() {
        return nothing(admin, typed, &folder, &now);
    }
    let count = changes.len();
    let batches = batch::batches(changes);
    if batches.len() > 1 && !typed.in_batches && !typed.dry_run {
        return Err(too_many(count, batches.len()));
    }
    let judged = all(admin, typed, &folder, batches).await?;
    admin.console.print_diff(&judged)?;
    judged.objections().iter().for_each(|line| admin.console.say(line));
    judging::say_notes(admin, &judged);
    let documents = render::counted(judged.documents.len(), "document", "documents");
    match judged.revision {
        Some(revision) => {
            let publishes = batch::told(judged.publishes);
            admin.console.say(format_args!("published: {documents}{publishes}revision {revision}"));
        }
        None if judged.against() == 0 => admin.console.say(format_args!("{documents} would change")),
        None if typed.force.is_some() => admin.console.say(format_args!("{documents} would change, forced")),
        None => return Err(Failure::refused(format!("{}: it would be refused", judged.against_words()))),
    }
    Ok(())
}

fn nothing(admin: &mut Admin<'_, '_>, typed: &ApplyConfig, folder: &Folder, now: &Snapshot) -> Result<(), Failure> {
    let (name, revision) = (&typed.folder, now.revision);
    if folder.documents.is_empty() && now.documents.is_empty() {
        let at = if typed.prefix.is_empty() { String::new() } else { format!(" at or below {}", typed.prefix) };
        admin.console.say(format_args!("there is no document{at}, neither in {name} nor as of revision {revision}"));
    } else {
        admin.console.say(format_args!("the documents are what {name} says, as of revision {revision}"));
    }
    admin.console.print(&Judged::default())
}

fn too_many(count: usize, batches: usize) -> Failure {
    let message = format!(
        "{count} changes are more than one publish can hold: at most {} documents and {} bytes",
        limits::PUBLISH_DOCUMENTS_MAX,
        limits::PUBLISH_BYTES_MAX
    );
    Failure::refused(message)
        .remedy(format!("make {batches} publishes of them with `--in-batches`: each is whole or not at all"))
        .remedy("or apply a part with `--prefix`")
}

/// One publish after the other.
async fn all(
    admin: &mut Admin<'_, '_>,
    typed: &ApplyConfig,
    folder: &Folder,
    batches: Vec<Vec<Sized>>,
) -> Result<Judged, Failure> {
    if typed.dry_run {
        judging::able(admin).await?;
    }
    let mut judged = Judged::default();
    for (at, batch) in batches.iter().enumerate() {
        let error = match publish(admin, typed, batch).await {
            Ok(batch) => {
                judged.and(batch);
                continue;
            }
            Err(error) => error,
        };
        let failure = refused(admin, folder, &batches[at..], error).await;
        if judged.documents.is_empty() {
            return Err(failure);
        }
        admin.console.print_diff(&judged)?;
        return Err(failure.remedy("what is printed stands; the same command goes on from there"));
    }
    Ok(judged)
}

/// Why the first of these publishes was refused, with all that would be refused in them.
async fn refused(admin: &Admin<'_, '_>, folder: &Folder, batches: &[Vec<Sized>], error: Error) -> Failure {
    let changes = batches.concat();
    if !conflict::is_one(&error) {
        return unsound::named(admin, folder, &changes, error).await;
    }
    let paths: Vec<_> = changes.into_iter().map(|change| change.path).collect();
    batch::refused(error, &paths, LOOK)
        .remedy("somebody changed one of the documents meanwhile: the same command compares anew")
}

/// What is to be done.
#[derive(Debug, Default)]
struct Plan {
    changes: Vec<Sized>,
    /// What would be removed if nothing had been passed over.
    spared: Vec<String>,
}

fn plan(folder: &Folder, now: &Snapshot, typed: &ApplyConfig) -> Result<Plan, Failure> {
    let written = folder.documents.iter().filter_map(|(key, wanted)| {
        let there = now.documents.get(key);
        let is_so = |there: &Document| there.text == wanted.text && there.format == Some(wanted.format);
        if there.is_some_and(is_so) {
            return None;
        }
        let edit = Edit::put(key.clone(), wanted.text.clone()).format(wanted.format);
        let edit = edit.expecting(there.map_or(0, |it| it.revision));
        Some(Sized { edit, path: key.clone(), text_bytes: wanted.text.len() })
    });
    let mut plan = Plan { changes: written.collect(), spared: Vec::new() };
    if !typed.prune {
        return Ok(plan);
    }
    let mut removed = Vec::new();
    for there in now.documents.values().filter(|there| is_missing(there, folder, typed)) {
        if folder.may_hold(&there.path, format_of(there)) {
            plan.spared.push(there.path.clone());
            continue;
        }
        let edit = Edit::delete(there.path.clone()).expecting(there.revision);
        removed.push(Sized { edit, path: there.path.clone(), text_bytes: 0 });
    }
    if folder.documents.is_empty() && !removed.is_empty() && !typed.prune_all {
        return Err(empty(typed, removed.len()));
    }
    plan.changes.extend(removed);
    Ok(plan)
}

/// Whether the folder would hold a document if it were meant to be.
fn is_missing(there: &Document, folder: &Folder, typed: &ApplyConfig) -> bool {
    let is_own = there.path.starts_with(OWN) && !scope::is_below(OWN.trim_end_matches('/'), &typed.prefix);
    // What no file can hold is not missing in the folder.
    !is_own && !folder.documents.contains_key(&there.path) && folder::file_of(&there.path, format_of(there)).is_ok()
}

fn format_of(document: &Document) -> Format {
    document.format.unwrap_or(Format::Json)
}

fn empty(typed: &ApplyConfig, removed: usize) -> Failure {
    let at = if typed.prefix.is_empty() { String::new() } else { format!(" at or below {}", typed.prefix) };
    let removed = render::counted(removed, "document", "documents");
    Failure::refused(format!("{} holds no document{at}, and {removed} would be removed", typed.folder))
        .remedy("is it the right folder? A prefix is of paths of documents, which begin at the folder that is named")
        .remedy("`--prune --prune-all` removes them")
}

async fn publish(admin: &Admin<'_, '_>, typed: &ApplyConfig, batch: &[Sized]) -> Result<Judged, Error> {
    let edits = batch.iter().map(|change| change.edit.clone());
    let mut publish = edits.fold(Publish::default(), Publish::and);
    publish = publish.author(admin.author.clone()).message(typed.reason.message.clone());
    if let Some(reason) = &typed.force {
        publish = publish.forced(reason.clone());
    }
    let configs = admin.keeper.configs();
    if typed.dry_run {
        configs.dry_run(publish).await.map(Judged::asked)
    } else {
        configs.publish(publish).await.map(Judged::done)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        wanted::{Wanted, tests::typed},
        *,
    };
    use crate::config::changes::tests::document;

    fn folder(documents: &[(&str, Format)], passed: &[&str]) -> Folder {
        let wanted = |file: &str, format| Wanted { file: file.into(), text: "# {}\n".into(), format };
        let documents = documents.iter().map(|&(path, format)| (path.to_owned(), wanted(path, format))).collect();
        Folder { documents, passed: passed.iter().map(|&name| name.to_owned()).collect() }
    }

    fn now(paths: &[&str]) -> Snapshot {
        let documents: BTreeMap<_, _> = paths.iter().map(|&path| (path.to_owned(), document(path, 9, "{}"))).collect();
        Snapshot { revision: 20, documents }
    }

    fn paths(changes: Vec<Sized>) -> Vec<String> {
        changes.into_iter().map(|change| change.path).collect()
    }

    fn told(line: &str) -> Vec<String> {
        let there = ["same.toml", "other.toml", "gone.toml", "keeper/sessions", ".hidden.toml"];
        let toml = Format::Toml;
        let folder = folder(&[("same.toml", toml), ("other.toml", Format::Yaml), ("new.toml", toml)], &[]);
        paths(plan(&folder, &now(&there), &typed("x", line)).expect("documents").changes)
    }

    #[test]
    fn what_differs_is_written_and_what_is_missing_stays_unless_it_is_pruned() {
        assert_eq!(told(""), ["new.toml", "other.toml"]);
        assert_eq!(told("--prune"), ["new.toml", "other.toml", "gone.toml"]);
        assert_eq!(told("--prune --prefix keep"), ["new.toml", "other.toml", "gone.toml"]);
        assert!(told("--prune --prefix keeper/").contains(&"keeper/sessions".to_owned()));
    }

    #[test]
    fn what_was_passed_over_is_not_pruned() {
        let folder = folder(&[("a.toml", Format::Toml)], &["g/link", "g/b.YAML"]);
        let now = now(&["g/link/a.toml", "g/b.yaml", "g/c.yaml"]);
        let Plan { changes, spared } = plan(&folder, &now, &typed("x", "--prune")).expect("a document");
        assert_eq!(paths(changes), ["a.toml", "g/c.yaml"]);
        assert_eq!(spared, ["g/b.yaml", "g/link/a.toml"]);
    }

    #[test]
    fn a_folder_without_a_document_prunes_nothing_unasked() {
        let (folder, now) = (folder(&[], &[]), now(&["a.toml", "b.toml"]));
        let refused = plan(&folder, &now, &typed("conf", "--prune --dry-run")).expect_err("it is empty").message;
        assert_eq!(refused, "conf holds no document, and 2 documents would be removed");
        let all = plan(&folder, &now, &typed("conf", "--prune --prune-all")).expect("it was said twice");
        assert_eq!(paths(all.changes), ["a.toml", "b.toml"]);
        assert!(plan(&folder, &now, &typed("conf", "")).is_ok_and(|plan| plan.changes.is_empty()));
    }
}
