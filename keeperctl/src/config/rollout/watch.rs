//! `keeperctl config rollout watch`: a rollout as it goes on.
//!
//! Looks again and again, and prints what has changed since the last look: who has it, what they say, and what the next
//! stage waits for; that less of its time is left is no change. It goes on while a new leader is elected. Exit code 1
//! unless the rollout ended with everybody having the change.

use keeper_client_sdk::{RolloutState, RolloutStatus};
use tokio::time;

use super::report::Line;
use crate::{
    admin::Admin,
    failure::{Failure, Kind},
    limits,
};

pub(super) async fn watch(admin: &mut Admin<'_, '_>, number: u64) -> Result<(), Failure> {
    let mut told: Option<Line> = None;
    loop {
        match admin.keeper.rollouts().get(number).await.map_err(Failure::from) {
            Ok(status) => {
                let line = Line::of(&status);
                if !told.as_ref().is_some_and(|told| line.is_as_told_by(told)) {
                    admin.console.print(&line)?;
                    told = Some(line);
                }
                if status.rollout.state.is_finished() {
                    return ended(&status);
                }
            }
            // No leader for a while, and then another one, which has yet to hear what instances say.
            Err(failure) if failure.kind == Kind::Unserved && told.is_some() => admin.console.say(&failure.message),
            Err(failure) => return Err(failure),
        }
        time::sleep(limits::LOOK_INTERVAL).await;
    }
}

fn ended(status: &RolloutStatus) -> Result<(), Failure> {
    let rollout = &status.rollout;
    if rollout.state == RolloutState::Promoted {
        return Ok(());
    }
    let by = rollout.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let why = if rollout.reason.is_empty() { String::new() } else { format!(": {}", rollout.reason) };
    Err(Failure::refused(format!("rollout {} was {}{by}{why}", rollout.rollout, rollout.state.as_str())))
}
