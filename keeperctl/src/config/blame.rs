//! Which of several changes a refusal is about.
//!
//! A publish is refused for the first thing that is wrong with it. Whoever publishes many documents wants all of them,
//! by name, so each change is asked about by itself once the whole was refused. What speaks against a value is not
//! among them: it is judged together, and told together.

use futures_util::{StreamExt, stream};
use keeper_client_sdk::{Error, Publish};

use crate::{
    admin::Admin,
    config::{batch::Sized, conflict},
    failure::Failure,
    limits,
};

/// Whether each change may be asked about: one of them is wrong by itself.
pub(super) fn is_of_one(error: &Error) -> bool {
    matches!(error, Error::Refused { details, .. } if details.is_empty()) && !conflict::is_one(error)
}

/// Those that would be refused by themselves, by their places, and why. The nodes must be able to judge.
pub(super) async fn of(admin: &Admin<'_, '_>, changes: &[Sized]) -> Vec<(usize, Failure)> {
    let asked = changes.iter().enumerate().map(|(place, change)| async move {
        let error = admin.keeper.configs().dry_run(Publish::of(change.edit.clone())).await.err()?;
        is_of_one(&error).then(|| (place, Failure::from(error)))
    });
    stream::iter(asked).buffered(limits::ASKED_AT_ONCE).filter_map(|wrong| async { wrong }).collect().await
}
