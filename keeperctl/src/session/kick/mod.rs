//! `keeperctl session kick`: ends the sessions of a user, or all that match.
//!
//! A kick of a user is done when it is answered. One by selector is a job of the cluster: it goes on whatever becomes
//! of this process, which at most waits for it.

mod dry_run;
mod matching;
mod status;
mod user;

use keeper_client_sdk::KickEnd;

pub(super) use self::status::{list, show};
use crate::{admin::Admin, args::KickSessions, failure::Failure, session::kick::status::Status};

pub(super) async fn kick(admin: &mut Admin<'_, '_>, kick: &KickSessions) -> Result<(), Failure> {
    match &kick.user {
        Some(user) if kick.dry_run => dry_run::of_user(admin, user, kick.select.slot.as_ref()).await,
        Some(user) => user::kick(admin, user, kick).await,
        None if kick.dry_run => dry_run::of_matching(admin, &kick.select).await,
        None => matching::kick(admin, kick).await,
    }
}

/// The kick, once every gateway has confirmed it or is gone.
async fn confirmed(admin: &mut Admin<'_, '_>, kick: u64) -> Result<Status, Failure> {
    admin.console.say(format_args!(
        "waiting until the gateways of kick {kick} have confirmed; Ctrl-C ends the waiting, not the kick"
    ));
    Ok(admin.keeper.sessions().kick_reached(kick, KickEnd::Confirmed).await?.into())
}
