//! `keeperctl session`: where users are connected.

mod count;
mod explain;
mod fact;
mod get;
mod kick;
mod list;
mod printer;
mod rebuild;
mod row;
mod scan;
mod top;
mod watch;

use crate::{admin::Admin, args::SessionVerb, failure::Failure};

pub(crate) async fn run(admin: &mut Admin<'_, '_>, verb: SessionVerb) -> Result<(), Failure> {
    match verb {
        SessionVerb::Get(get) => get::get(admin, &get).await,
        SessionVerb::List(list) => list::list(admin, &list).await,
        SessionVerb::Scan(scan) => scan::scan(admin, &scan).await,
        SessionVerb::Count(count) => count::count(admin, &count).await,
        SessionVerb::Top(top) => top::top(admin, &top).await,
        SessionVerb::Watch(watch) => watch::watch(admin, &watch).await,
        SessionVerb::Explain(user) => explain::explain(admin, &user).await,
        SessionVerb::Kick(kick) => kick::kick(admin, &kick).await,
        SessionVerb::Kicks => kick::list(admin).await,
        SessionVerb::KickStatus { kick } => kick::show(admin, kick).await,
        SessionVerb::RebuildStatus => rebuild::show(admin).await,
        SessionVerb::GiveUp(give_up) => rebuild::give_up(admin, &give_up).await,
    }
}
