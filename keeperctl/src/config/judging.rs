//! Publishing, and asking first what a publish would do.

use futures_util::{FutureExt, future::select_ok};
use keeper_client_sdk::{Configs, Edit, Error, Publish, Published};

use crate::{
    admin::Admin,
    args::{Insistence, Reason},
    config::{conflict, verdict::Judged},
    failure::Failure,
    render,
};

/// The feature level from which on nodes can be asked what a publish would do. Below it they would take the question
/// for the publish itself.
const JUDGES_FROM_LEVEL: u32 = 3;

/// A publish in the name of whoever sits there.
pub(super) fn publish_of(admin: &Admin<'_, '_>, edit: Edit, reason: &Reason, force: Option<&String>) -> Publish {
    let publish = Publish::of(edit).author(admin.author.clone()).message(reason.message.clone());
    force.into_iter().fold(publish, |publish, reason| publish.forced(reason.clone()))
}

/// Whether the nodes can be asked what a publish would do: by the word of the first that answers, for one that is dead
/// would have everybody wait.
pub(super) async fn is_answered(admin: &Admin<'_, '_>) -> Result<bool, Failure> {
    let cluster = admin.keeper.cluster();
    let endpoints = admin.keeper.endpoints();
    let (status, _) = select_ok(endpoints.iter().map(|endpoint| cluster.status_of(endpoint).boxed())).await?;
    Ok(status.level >= JUDGES_FROM_LEVEL)
}

/// What a publish would do; nothing is published.
pub(super) async fn dry_run(admin: &Admin<'_, '_>, publish: Publish) -> Result<Judged, Failure> {
    able(admin).await?;
    Ok(Judged::asked(admin.keeper.configs().dry_run(publish).await?))
}

/// Refuses to ask nodes that would take the question for a publish.
pub(super) async fn able(admin: &Admin<'_, '_>) -> Result<(), Failure> {
    if is_answered(admin).await? {
        return Ok(());
    }
    let message = format!("only a cluster of feature level {JUDGES_FROM_LEVEL} says what a publish would do");
    Err(Failure::refused(message).remedy("raise it with `keeperctl cluster upgrade` once every node runs this release"))
}

/// Prints what would be done, and refuses what would be refused.
pub(super) fn tell(admin: &mut Admin<'_, '_>, judged: &Judged, insistence: &Insistence) -> Result<(), Failure> {
    admin.console.print_diff(judged)?;
    judged.objections().iter().for_each(|line| admin.console.say(line));
    say_notes(admin, judged);
    if judged.documents.is_empty() {
        admin.console.say("nothing would change");
    }
    match (judged.against(), &insistence.force) {
        (0, _) => Ok(()),
        (_, Some(_)) => {
            admin.console.say(format_args!("{}, and would be overruled", judged.against_words()));
            Ok(())
        }
        (_, None) => Err(Failure::refused(format!("{}: it would be refused", judged.against_words()))),
    }
}

/// Publishes one change; `verb` is what to type if it came too late.
pub(super) async fn publish(
    admin: &Admin<'_, '_>,
    path: &str,
    publish: Publish,
    verb: &str,
) -> Result<Published, Failure> {
    let configs = admin.keeper.configs();
    match configs.publish(publish).await {
        Ok(published) => Ok(published),
        Err(error) => Err(refused(&configs, path, error, verb).await),
    }
}

/// Why a change of one document was refused, with what to type instead.
pub(super) async fn refused(configs: &Configs, path: &str, error: Error, verb: &str) -> Failure {
    if conflict::is_one(&error) {
        let file = if verb == "put" { " FILE" } else { "" };
        return conflict::told(configs, path, error, &format!("{verb} {path}{file}")).await;
    }
    let is_path = error.reason() == "bad-name";
    let is_rolling_out = error.reason() == "rolling-out";
    let is_judged = is_overruled_by_force(&error);
    let failure = Failure::of_change(error, &format!("keeperctl config history {path}"));
    if is_path {
        return failure.remedy(format!(
            "typed was {path:?}; a path is written like `push/room.toml`, a layer of it like `push/room.toml@zone=eu-1`"
        ));
    }
    if is_rolling_out {
        let path = path.split('@').next().unwrap_or(path);
        return failure.remedy(format!("see how it goes with `keeperctl config rollout show {path}`")).remedy(format!(
            "end it with `keeperctl config rollout promote {path}`, or `keeperctl config rollout abort {path}`"
        ));
    }
    if is_judged {
        failure.remedy("publish it all the same with `--force REASON`, which the history keeps")
    } else {
        failure
    }
}

/// Whether judges spoke against it, whom a reason overrules.
pub(super) fn is_overruled_by_force(error: &Error) -> bool {
    matches!(error, Error::Refused { details, .. } if !details.is_empty())
}

/// What was overruled.
pub(super) fn say_overruled(admin: &mut Admin<'_, '_>, judged: &Judged) {
    for line in judged.objections() {
        admin.console.say(format_args!("overruled: {}", render::printable(&line)));
    }
    say_notes(admin, judged);
}

/// What is worth knowing, and refuses nothing.
pub(super) fn say_notes(admin: &mut Admin<'_, '_>, judged: &Judged) {
    for line in &judged.notes {
        admin.console.say(format_args!("note: {}", render::printable(line)));
    }
}
