//! The refusal of a publish, in the names that whoever has the folder knows: those of its files.

use keeper_client_sdk::Error;

use super::{
    LOOK,
    wanted::{self, Folder},
};
use crate::{
    admin::Admin,
    config::{
        batch::{self, Sized},
        blame, excerpt, judging,
    },
    failure::Failure,
};

/// With every file that would be refused by itself.
pub(super) async fn named(admin: &Admin<'_, '_>, folder: &Folder, changes: &[Sized], error: Error) -> Failure {
    if blame::is_of_one(&error) && judging::is_answered(admin).await.unwrap_or(false) {
        let wrong = blame::of(admin, changes).await.into_iter();
        let wrong = wrong.map(|(place, failure)| told(folder, &changes[place], failure));
        if let Some(failure) = wanted::all_of(wrong.collect()) {
            return failure;
        }
    }
    let files: Vec<_> = changes.iter().map(|change| called(folder, change)).collect();
    batch::refused(error, &files, LOOK)
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
