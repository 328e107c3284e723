//! `keeperctl config rollout`: changes that a few instances get first.

mod report;
mod start;
mod watch;

use keeper_client_sdk::{Finished, Rollout, RolloutStatus};

use crate::{
    admin::Admin,
    args::{RolloutVerb, WhichRollout},
    config::judging,
    failure::Failure,
};
use report::{List, Shown};

/// What to type when something speaks against the end of a rollout.
const PROMOTE_ALL_THE_SAME: &str = "promote it all the same with `--force REASON`, which the history keeps";

pub(super) async fn run(admin: &mut Admin<'_, '_>, verb: RolloutVerb) -> Result<(), Failure> {
    match verb {
        RolloutVerb::Start(start) => start::start(admin, &start).await,
        RolloutVerb::List { path, unfinished } => list(admin, &path, unfinished).await,
        RolloutVerb::Show { which } => {
            let status = find(admin, &which).await?;
            admin.console.print(&Shown::from(status))
        }
        RolloutVerb::Watch { which } => {
            let number = find(admin, &which).await?.rollout.rollout;
            watch::watch(admin, number).await
        }
        RolloutVerb::Advance { which, from } => {
            let number = find(admin, &which).await?.rollout;
            let open = u32::try_from(number.stage()).unwrap_or(u32::MAX);
            let from = from.map_or(open, |stage| stage.saturating_sub(1));
            let done = admin.keeper.rollouts().advance(number.rollout, from, admin.author.clone()).await;
            step(admin, &number, done)
        }
        RolloutVerb::Pause { which } => {
            let rollout = find(admin, &which).await?.rollout;
            let done = admin.keeper.rollouts().pause(rollout.rollout, admin.author.clone()).await;
            step(admin, &rollout, done)
        }
        RolloutVerb::Resume { which } => {
            let rollout = find(admin, &which).await?.rollout;
            let done = admin.keeper.rollouts().resume(rollout.rollout, admin.author.clone()).await;
            step(admin, &rollout, done)
        }
        RolloutVerb::Promote { which, force } => {
            let rollout = find(admin, &which).await?.rollout;
            let done = admin.keeper.rollouts().promote(rollout.rollout, admin.author.clone(), force).await;
            let is_judged = matches!(&done, Err(error) if judging::is_overruled_by_force(error));
            step(admin, &rollout, done)
                .map_err(|failure| if is_judged { failure.remedy(PROMOTE_ALL_THE_SAME) } else { failure })
        }
        RolloutVerb::Abort { which, reason } => {
            let rollout = find(admin, &which).await?.rollout;
            let done = admin.keeper.rollouts().abort(rollout.rollout, admin.author.clone(), reason).await;
            step(admin, &rollout, done)
        }
    }
}

async fn list(admin: &mut Admin<'_, '_>, path: &str, unfinished: bool) -> Result<(), Failure> {
    let finished = if unfinished { Finished::Without } else { Finished::With };
    let list = List::from(admin.keeper.rollouts().list(path, finished).await?);
    if list.is_empty() {
        admin.console.say("there is no rollout");
    }
    admin.console.print(&list)
}

/// By its number, or the one of a document: that under way, or else the last; a document's name is no number.
async fn find(admin: &Admin<'_, '_>, which: &WhichRollout) -> Result<RolloutStatus, Failure> {
    let rollouts = admin.keeper.rollouts();
    let found = match which.which.parse::<u64>() {
        Ok(number) => rollouts.get(number).await,
        Err(_) => rollouts.get_of(&which.which).await,
    };
    found.map_err(|error| {
        let is_unknown = error.reason() == "not-found";
        if is_unknown { unknown(&which.which) } else { Failure::from(error) }
    })
}

fn unknown(which: &str) -> Failure {
    let what = match which.parse::<u64>() {
        Ok(number) => format!("rollout {number} is not known: there was none, or it was too long ago"),
        Err(_) => format!("no rollout of {which} is known"),
    };
    Failure::refused(what).remedy("see all with `keeperctl config rollout list`")
}

/// Prints where a rollout stands after a step.
fn step(
    admin: &mut Admin<'_, '_>,
    rollout: &Rollout,
    done: Result<RolloutStatus, keeper_client_sdk::Error>,
) -> Result<(), Failure> {
    let look = format!("keeperctl config rollout show {}", rollout.rollout);
    let status = done.map_err(|error| Failure::of_change(error, &look))?;
    admin.console.print(&Shown::from(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_that_is_not_known_is_named() {
        assert_eq!(unknown("99999").message, "rollout 99999 is not known: there was none, or it was too long ago");
        assert_eq!(unknown("push/gate.toml").message, "no rollout of push/gate.toml is known");
    }
}
