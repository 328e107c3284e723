//! `keeperctl config`: documents, their versions, and what changes in them.
//!
//! Nothing here parses a format: whether a text is sound, and what structure it is, the servers say.

mod absent;
mod apply;
mod ask;
mod batch;
mod blame;
mod changes;
mod conflict;
mod consumers;
mod convert;
mod diff;
mod draft;
mod edit;
mod editor;
mod effective;
mod excerpt;
mod export;
mod folder;
mod follower;
mod get;
mod import;
mod judging;
mod lint;
mod list;
mod put;
mod rollout;
mod scope;
mod secrets;
mod snapshot;
mod source;
mod status;
mod sync;
mod verdict;
mod watch;

use crate::{admin::Admin, args::ConfigVerb, failure::Failure};
use consumers::WithSchemas;

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
        ConfigVerb::Convert(convert) => convert::convert(admin, &convert).await,
        ConfigVerb::Rollback(rollback) => put::rollback(admin, &rollback).await,
        ConfigVerb::Effective(effective) => effective::show(admin, &effective).await,
        ConfigVerb::Consumers { path, schema } => {
            let with_schemas = if schema { WithSchemas::Yes } else { WithSchemas::No };
            consumers::show(admin, &path, with_schemas).await
        }
        ConfigVerb::Status(status) => status::show(admin, &status).await,
        ConfigVerb::Rollout { verb } => rollout::run(admin, verb).await,
        ConfigVerb::Secrets { verb } => secrets::run(admin, verb).await,
        ConfigVerb::Sync(sync) => sync::sync(admin, &sync).await,
        ConfigVerb::Delete(delete) => put::delete(admin, &delete).await,
        ConfigVerb::Export(export) => export::export(admin, &export).await,
        ConfigVerb::Apply(apply) => apply::apply(admin, &apply).await,
        ConfigVerb::Import(import) => import::import(admin, &import).await,
    }
}
