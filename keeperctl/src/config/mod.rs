//! `keeperctl config`: documents, their versions, and what changes in them.
//!
//! Nothing here parses a format: whether a text is sound, and what structure it is, the servers say.

mod absent;
mod changes;
mod conflict;
mod diff;
mod draft;
mod edit;
mod editor;
mod excerpt;
mod follower;
mod get;
mod lint;
mod list;
mod put;
mod source;
mod watch;

use crate::{admin::Admin, args::ConfigVerb, failure::Failure};

pub(crate) async fn run(admin: &mut Admin<'_, '_>, verb: ConfigVerb) -> Result<(), Failure> {
    match verb {
        ConfigVerb::Put(put) => put::put(admin, &put).await,
        ConfigVerb::Get(get) => get::get(admin, &get).await,
        ConfigVerb::List { prefix } => list::list(admin, prefix).await,
        ConfigVerb::History { path, limit } => list::history(admin, &path, limit).await,
        ConfigVerb::Diff(diff) => diff::diff(admin, &diff).await,
        ConfigVerb::Watch(watch) => watch::watch(admin, &watch).await,
        ConfigVerb::Edit(edit) => edit::edit(admin, &edit).await,
        ConfigVerb::Lint(lint) => lint::lint(admin, &lint).await,
        ConfigVerb::Delete(delete) => put::delete(admin, &delete).await,
    }
}
