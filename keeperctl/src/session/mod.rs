//! `keeperctl session`: where users are connected.

mod count;
mod get;
mod kick;
mod list;
mod row;

use crate::{admin::Admin, args::SessionVerb, failure::Failure};

pub(crate) async fn run(admin: &mut Admin<'_, '_>, verb: SessionVerb) -> Result<(), Failure> {
    match verb {
        SessionVerb::Get(get) => get::get(admin, &get).await,
        SessionVerb::List(list) => list::list(admin, &list).await,
        SessionVerb::Count(count) => count::count(admin, &count).await,
        SessionVerb::Kick(kick) => kick::kick(admin, &kick).await,
    }
}
