//! A kick of all that match: begins the job, and waits for it if asked to.

use keeper_client_sdk::{KickEnd, KickMatching};
use tokio::time;

use crate::{
    admin::Admin,
    args::KickSessions,
    failure::Failure,
    instance, limits,
    session::kick::{
        confirmed,
        status::{self, Status},
    },
};

pub(super) async fn kick(admin: &mut Admin<'_, '_>, kick: &KickSessions) -> Result<(), Failure> {
    let request =
        KickMatching { selector: kick.select.selector(), reason: kick.reason.clone(), author: admin.author.clone() };
    let number = match admin.keeper.sessions().kick_matching(request).await {
        Ok(started) => started.kick,
        Err(error) => {
            let failure = Failure::of_change(error, "keeperctl session kicks");
            return Err(instance::meant(admin, kick.select.instance.as_ref(), failure).await);
        }
    };
    let status = if kick.wait { confirmed(admin, number).await? } else { glanced(admin, number).await? };
    admin.console.print(&status)?;
    if !status.is_settled() {
        admin.console.say(format_args!("see how far it is with `keeperctl session kick-status {number}`"));
    }
    Ok(())
}

/// A kick of few, or of nobody, is done before a person has read that it began.
async fn glanced(admin: &Admin<'_, '_>, number: u64) -> Result<Status, Failure> {
    let sessions = admin.keeper.sessions();
    match time::timeout(limits::KICK_GLANCE, sessions.kick_reached(number, KickEnd::Finished)).await {
        Ok(Ok(status)) => Ok(status.into()),
        Ok(Err(_)) | Err(_) => status::status(admin, number).await,
    }
}
