//! `keeperctl session kick --dry-run`: what would be closed, by instance.
//!
//! A walk over all that match, or less where the cluster keeps the count. What it says may be outdated by the next
//! register; the kick itself decides by its own revision.

use std::collections::BTreeMap;

use keeper_client_sdk::{ListSessions, Owner, Session};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::SelectSessions,
    failure::Failure,
    instance, limits,
    name::Name,
    render::{self, Report},
    session::kick::user::nobody,
};

pub(super) async fn of_user(admin: &mut Admin<'_, '_>, user: &Name, slot: Option<&Name>) -> Result<(), Failure> {
    let looked = admin.keeper.lookup().user(user.bytes().to_vec()).await?;
    let wanted = |session: &&Session| slot.is_none_or(|slot| session.key.slot()[..] == *slot.bytes());
    let mut would = Would::default();
    looked.found.iter().filter(wanted).for_each(|session| would.close(&session.owner));
    if would.sessions == 0 {
        return Err(nobody(user, slot));
    }
    would.tell(admin)
}

pub(super) async fn of_matching(admin: &mut Admin<'_, '_>, select: &SelectSessions) -> Result<(), Failure> {
    let would = match select {
        SelectSessions { topic: Some(topic), instance: None, user_prefix: None, slot: None } => {
            let counts = admin.keeper.sessions().count(Some(topic.bytes().to_vec().into())).await?;
            let of_instance = |it: keeper_client_sdk::InstanceCount| {
                ((format!("{}/{}", it.service, it.instance), it.incarnation), it.sessions)
            };
            let by_instance = counts.instances.into_iter().map(of_instance).collect();
            Would { sessions: counts.total, by_instance }
        }
        SelectSessions { .. } => walked(admin, select).await?,
    };
    would.tell(admin)
}

async fn walked(admin: &Admin<'_, '_>, select: &SelectSessions) -> Result<Would, Failure> {
    let mut would = Would::default();
    let limit = limits::PAGE_SESSIONS_MAX;
    let mut request = ListSessions { selector: select.selector(), limit, ..ListSessions::default() };
    loop {
        let page = match admin.keeper.sessions().list(request.clone()).await {
            Ok(page) => page,
            Err(error) => return Err(instance::meant(admin, select.instance.as_ref(), error.into()).await),
        };
        page.sessions.iter().for_each(|session| would.close(&session.owner));
        match page.next {
            Some(next) => request.token = next,
            None => return Ok(would),
        }
    }
}

/// What a kick would close.
#[derive(Debug, Default)]
struct Would {
    sessions: u64,
    /// By name and incarnation.
    by_instance: BTreeMap<(String, u64), u64>,
}

impl Would {
    fn close(&mut self, owner: &Owner) {
        self.sessions += 1;
        let name = (format!("{}/{}", owner.service, owner.instance), owner.incarnation);
        *self.by_instance.entry(name).or_default() += 1;
    }

    fn tell(self, admin: &mut Admin<'_, '_>) -> Result<(), Failure> {
        admin.console.say("nothing was closed: this is what would be");
        admin.console.print(&Counted::from(self))
    }
}

#[derive(Debug, Serialize)]
struct Counted {
    would_close: u64,
    instances: Vec<OfInstance>,
}

#[derive(Debug, Serialize)]
struct OfInstance {
    instance: String,
    incarnation: u64,
    would_close: u64,
}

impl From<Would> for Counted {
    fn from(would: Would) -> Self {
        let of_instance = |((instance, incarnation), would_close)| OfInstance { instance, incarnation, would_close };
        Self { would_close: would.sessions, instances: would.by_instance.into_iter().map(of_instance).collect() }
    }
}

impl Report for Counted {
    fn table(&self) -> String {
        let cells = |it: &OfInstance| [it.instance.clone(), it.incarnation.to_string(), it.would_close.to_string()];
        let total = ["TOTAL".to_owned(), String::new(), self.would_close.to_string()];
        render::table(["INSTANCE", "INCARNATION", "WOULD CLOSE"], self.instances.iter().map(cells).chain([total]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::row::tests::session;

    #[test]
    fn what_would_be_closed_is_counted_by_instance() {
        let mut would = Would::default();
        for user in ["ann", "bob"] {
            would.close(&session(user, "").owner);
        }
        would.close(&Owner { instance: "room-0".into(), ..(*session("cid", "").owner).clone() });
        let counted = Counted::from(would);
        let expected = "\
INSTANCE     INCARNATION  WOULD CLOSE
room/room-0  17           1
room/room-1  17           2
TOTAL        -            3
";
        assert_eq!(counted.table(), expected);
        let json = render::json_line(&counted).expect("JSON");
        assert!(
            json.starts_with(r#"{"would_close":3,"instances":[{"instance":"room/room-0","incarnation":17,"#),
            "{json}"
        );
    }
}
