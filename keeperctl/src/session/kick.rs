//! `keeperctl session kick`: ends a user's sessions.

use keeper_client_sdk::{Kick, Kicked, KickedSession};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::KickSession,
    failure::Failure,
    name::Name,
    render::{self, Report},
};

pub(crate) async fn kick(admin: &mut Admin<'_, '_>, kick: &KickSession) -> Result<(), Failure> {
    let request = Kick {
        user: kick.user.bytes().to_vec().into(),
        slot: kick.slot.as_ref().map(|slot| slot.bytes().to_vec().into()),
        reason: kick.reason.clone(),
        author: admin.author.clone(),
    };
    match admin.keeper.sessions().kick(request).await {
        Ok(kicked) if !kicked.sessions.is_empty() => admin.console.print(&Ended::from(kicked)),
        Ok(_) => Err(nobody(kick)),
        Err(error) if error.reason() == "not-found" => Err(nobody(kick)),
        Err(error) => Err(Failure::of_change(error, &format!("keeperctl session get {}", kick.user))),
    }
}

fn nobody(kick: &KickSession) -> Failure {
    let user = &kick.user;
    match &kick.slot {
        None => Failure::refused(format!("nobody to kick: user {user} is not connected")),
        Some(slot) => Failure::refused(format!("nobody to kick: user {user} is not connected in slot \"{slot}\""))
            .remedy(format!("see in which with `keeperctl session get {user}`")),
    }
}

#[derive(Debug, Serialize)]
struct Ended {
    revision: u64,
    kicked: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    user: Name,
    slot: Name,
    instance: String,
    connection: Name,
    epoch: String,
}

impl From<Kicked> for Ended {
    fn from(kicked: Kicked) -> Self {
        Self { revision: kicked.revision, kicked: kicked.sessions.into_iter().map(Row::from).collect() }
    }
}

impl From<KickedSession> for Row {
    fn from(KickedSession { key, holder }: KickedSession) -> Self {
        let (user, slot) = (Name::from(&key.user()[..]), Name::from(&key.slot()[..]));
        let Some(holder) = holder else {
            return Self { user, slot, instance: String::new(), connection: Name::default(), epoch: String::new() };
        };
        let instance = format!("{}/{}", holder.service, holder.instance);
        Self { user, slot, instance, connection: Name::from(&holder.connection[..]), epoch: holder.epoch.to_string() }
    }
}

impl Report for Ended {
    fn table(&self) -> String {
        let cells = |row: &Row| {
            [
                row.user.to_string(),
                row.slot.to_string(),
                row.instance.clone(),
                row.connection.to_string(),
                row.epoch.clone(),
            ]
        };
        render::table(["KICKED", "SLOT", "INSTANCE", "CONNECTION", "EPOCH"], self.kicked.iter().map(cells))
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::{Epoch, Holder, SessionKey};

    use super::*;

    fn ended() -> Ended {
        let holder = Holder {
            service: "room".into(),
            instance: "room-1".into(),
            incarnation: 17,
            connection: "c-9".into(),
            epoch: Epoch { revision: 41, position: 0 },
        };
        let key = SessionKey::of_user("ann").expect("within limits");
        Kicked { revision: 60, sessions: vec![KickedSession { key, holder: Some(holder) }] }.into()
    }

    #[test]
    fn nobody_is_named() {
        let kick = |slot| KickSession { user: Name::from(&b"ann"[..]), slot, reason: String::new() };
        assert_eq!(nobody(&kick(None)).message, "nobody to kick: user ann is not connected");
        let tv = Some(Name::from(&b"tv"[..]));
        assert_eq!(nobody(&kick(tv)).message, "nobody to kick: user ann is not connected in slot \"tv\"");
    }

    #[test]
    fn what_was_ended_is_printed() {
        let expected = "KICKED  SLOT  INSTANCE     CONNECTION  EPOCH\nann     -     room/room-1  c-9         41.0\n";
        assert_eq!(ended().table(), expected);
        let expected = concat!(
            r#"{"revision":60,"kicked":[{"user":"ann","slot":"","instance":"room/room-1","connection":"c-9","#,
            r#""epoch":"41.0"}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&ended()), Ok(expected.to_owned()));
    }
}
