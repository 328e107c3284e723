//! Which files a refusal is about.
//!
//! A publish is refused for the first thing that is wrong with it. Whoever has a folder of eighty files wants all of
//! them, by the names they have there, so each change is asked about by itself once the whole was refused.

use futures_util::{StreamExt, stream};
use keeper_client_sdk::{Error, Publish};

use super::{
    LOOK,
    wanted::{self, Folder},
};
use crate::{
    admin::Admin,
    config::{
        batch::{self, Sized},
        conflict, excerpt, judging,
    },
    failure::Failure,
    limits,
};

/// The refusal of a publish, with the files it is about.
pub(super) async fn named(admin: &Admin<'_, '_>, folder: &Folder, changes: &[Sized], error: Error) -> Failure {
    let is_of_one = matches!(&error, Error::Refused { details, .. } if details.is_empty());
    let can_ask = is_of_one && judging::is_answered(admin).await.unwrap_or(false);
    if can_ask {
        let asked = stream::iter(changes).map(|change| wrong(admin, folder, change)).buffered(limits::ASKED_AT_ONCE);
        let wrong: Vec<_> = asked.filter_map(|wrong| async { wrong }).collect().await;
        if let Some(failure) = wanted::all_of(wrong) {
            return failure;
        }
    }
    let files: Vec<_> = changes.iter().map(|change| called(folder, change)).collect();
    batch::refused(error, &files, LOOK)
}

/// Why one of the changes would be refused by itself; not what speaks against its value, for that is judged together.
async fn wrong(admin: &Admin<'_, '_>, folder: &Folder, change: &Sized) -> Option<Failure> {
    let error = admin.keeper.configs().dry_run(Publish::of(change.edit.clone())).await.err()?;
    let is_its_own = matches!(&error, Error::Refused { details, .. } if details.is_empty());
    (is_its_own && !conflict::is_one(&error)).then(|| told(folder, change, error.into()))
}

fn told(folder: &Folder, change: &Sized, failure: Failure) -> Failure {
    let failure = match folder.documents.get(&change.path) {
        Some(wanted) => excerpt::beside(failure, &wanted.text),
        None => failure,
    };
    Failure { message: format!("{}: {}", called(folder, change), failure.message), ..failure }
}

/// The file, or of what is removed the document.
fn called(folder: &Folder, change: &Sized) -> String {
    folder.documents.get(&change.path).map_or_else(|| change.path.clone(), |wanted| wanted.file.clone())
}
