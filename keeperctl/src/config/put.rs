//! `keeperctl config put` and `delete`: one change, published.

use keeper_client_sdk::{Edit, Error, Publish, Published};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{DeleteConfig, PutConfig, Reason},
    config::{absent, conflict, excerpt, source},
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
    let done = publish(admin, &put.path, edit, &put.reason, "put").await;
    let done = done.map_err(|failure| excerpt::beside(failure, &text))?;
    admin.console.print(&done)
}

pub(super) async fn delete(admin: &mut Admin<'_, '_>, delete: &DeleteConfig) -> Result<(), Failure> {
    // Refused here by name, where the nearest ones can be offered.
    absent::present(&admin.keeper.configs(), &delete.path, "delete").await?;
    let mut edit = Edit::delete(delete.path.clone());
    if let Some(revision) = delete.expect {
        edit = edit.expecting(revision);
    }
    let done = publish(admin, &delete.path, edit, &delete.reason, "delete").await?;
    admin.console.print(&done)
}

/// Publishes one change in the name of whoever sits there; `verb` is what to type if it came too late.
pub(super) async fn publish(
    admin: &Admin<'_, '_>,
    path: &str,
    edit: Edit,
    reason: &Reason,
    verb: &str,
) -> Result<Done, Failure> {
    let publish = Publish::of(edit).author(admin.author.clone()).message(reason.message.clone());
    let configs = admin.keeper.configs();
    let error = match configs.publish(publish).await {
        Ok(Published { revision, changed, .. }) => return Ok(Done { path: path.to_owned(), revision, changed }),
        Err(error) => error,
    };
    if conflict::is_one(&error) {
        let file = if verb == "put" { " FILE" } else { "" };
        return Err(conflict::told(&configs, path, error, &format!("{verb} {path}{file}")).await);
    }
    Err(named(error, path))
}

/// The failure of a publish, with how a path is written when that was wrong.
fn named(error: Error, path: &str) -> Failure {
    let is_path = error.reason() == "bad-name";
    let failure = Failure::of_change(error, &format!("keeperctl config history {path}"));
    if !is_path {
        return failure;
    }
    failure.remedy(format!("typed was {path:?}; a path is written like `push/room.toml`"))
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
