//! `keeperctl control`: what processes should do now.

mod send;
mod status;

use crate::{admin::Admin, args::ControlVerb, failure::Failure};

pub(crate) async fn run(admin: &mut Admin<'_, '_>, verb: ControlVerb) -> Result<(), Failure> {
    match verb {
        ControlVerb::Send(send) => send::send(admin, &send).await,
        ControlVerb::Status { control } => status::show(admin, control).await,
    }
}
