//! `keeperctl config put`, `delete` and `rollback`: one change, published.

use keeper_client_sdk::{Configs, Edit, Error, Publish, Published, Rollback};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{DeleteConfig, Insistence, PutConfig, RollbackConfig},
    config::{absent, excerpt, judging, source, status, verdict::Judged},
    failure::Failure,
    render::{self, Report},
};

pub(super) async fn put(admin: &mut Admin<'_, '_>, put: &PutConfig) -> Result<(), Failure> {
    let text = source::read(&put.file)?;
    let mut edit = Edit::put(put.path.clone(), text.clone());
    if let Some(format) = put.format {
        edit = edit.format(format.into());
    }
    if let Some(revision) = put.expect {
        edit = edit.expecting(revision);
    }
    edit = put.secrets.iter().fold(edit, |edit, field| edit.secret(field.clone()));
    let publish = judging::publish_of(admin, edit, &put.reason, put.insistence.force.as_ref());
    let done = one(admin, &put.path, publish, &put.insistence, "put").await;
    let Some(revision) = done.map_err(|failure| excerpt::beside(failure, &text))? else { return Ok(()) };
    match put.wait {
        Some(share) => status::wait(admin, &put.path, revision, share).await,
        None => Ok(()),
    }
}

pub(super) async fn delete(admin: &mut Admin<'_, '_>, delete: &DeleteConfig) -> Result<(), Failure> {
    // Refused here by name, where the nearest ones can be offered.
    absent::present(&admin.keeper.configs(), &delete.path, "delete").await?;
    let mut edit = Edit::delete(delete.path.clone());
    if let Some(revision) = delete.expect {
        edit = edit.expecting(revision);
    }
    let publish = judging::publish_of(admin, edit, &delete.reason, delete.insistence.force.as_ref());
    one(admin, &delete.path, publish, &delete.insistence, "delete").await.map(drop)
}

/// Publishes one change, or asks what it would do; where the document stands then.
async fn one(
    admin: &mut Admin<'_, '_>,
    path: &str,
    publish: Publish,
    insistence: &Insistence,
    verb: &str,
) -> Result<Option<u64>, Failure> {
    if insistence.dry_run {
        let judged = judging::dry_run(admin, publish).await?;
        judging::tell(admin, &judged, insistence)?;
        return Ok(None);
    }
    let published = judging::publish(admin, path, publish, verb).await?;
    tell(admin, path, published).map(Some)
}

/// Prints what stands; where.
pub(super) fn tell(admin: &mut Admin<'_, '_>, path: &str, published: Published) -> Result<u64, Failure> {
    let Published { revision, changed, .. } = published;
    admin.console.print(&Done { path: path.to_owned(), revision, changed })?;
    judging::say_overruled(admin, &Judged::done(published));
    Ok(revision)
}

pub(super) async fn rollback(admin: &mut Admin<'_, '_>, typed: &RollbackConfig) -> Result<(), Failure> {
    let RollbackConfig { path, revision, expect, wait, insistence, reason } = typed;
    let mut rollback = Rollback::to(path, *revision).author(admin.author.clone()).message(reason.message.clone());
    if let Some(revision) = expect {
        rollback = rollback.expecting(*revision);
    }
    if let Some(reason) = &insistence.force {
        rollback = rollback.forced(reason);
    }
    let configs = admin.keeper.configs();
    if insistence.dry_run {
        let judged = match configs.dry_run_rollback(rollback).await {
            Ok(published) => Judged::asked(published),
            Err(error) if is_missing(&error) => return Err(nothing_there(&configs, typed, error.into()).await),
            Err(error) => return Err(error.into()),
        };
        return judging::tell(admin, &judged, insistence);
    }
    let published = match configs.rollback(rollback).await {
        Ok(published) => published,
        Err(error) => {
            let is_missing = is_missing(&error);
            let failure = judging::refused(&configs, path, error, "rollback").await;
            return Err(if is_missing { nothing_there(&configs, typed, failure).await } else { failure });
        }
    };
    if published.changed && published.documents.iter().all(|document| document.canonical.is_empty()) {
        admin.console.say(format_args!("{path} was deleted at revision {revision}, and is deleted again"));
    }
    let stands = tell(admin, path, published)?;
    match wait {
        Some(share) => status::wait(admin, path, stands, *share).await,
        None => Ok(()),
    }
}

fn is_missing(error: &Error) -> bool {
    error.reason() == "not-found"
}

/// Why there is nothing to roll back to; a version that is a deletion says so, for the history lists it.
async fn nothing_there(configs: &Configs, typed: &RollbackConfig, failure: Failure) -> Failure {
    let past = configs.get_at(typed.path.clone(), typed.revision).await.ok().flatten();
    let failure = past.filter(|past| past.deleted).map_or(failure, |past| absent::deleted(&past));
    failure.remedy(format!("see what there is with `keeperctl config history {}`", typed.path))
}

/// A change that stands.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    path: String,
    revision: u64,
    changed: bool,
}

impl Report for Done {
    fn table(&self) -> String {
        let changed = if self.changed { "yes" } else { "no, it was so already" };
        render::table(
            ["DOCUMENT", "REVISION", "CHANGED"],
            [[self.path.clone(), self.revision.to_string(), changed.to_owned()]],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_says_where_the_document_stands() {
        let done = Done { path: "push/room.toml".into(), revision: 42, changed: true };
        assert_eq!(done.table(), "DOCUMENT        REVISION  CHANGED\npush/room.toml  42        yes\n");
        let expected = "{\"path\":\"push/room.toml\",\"revision\":42,\"changed\":true}\n";
        assert_eq!(render::json_line(&done), Ok(expected.to_owned()));
    }
}
