//! A kick of a user: what it ended, and who has confirmed it if that was waited for.

use keeper_client_sdk::{Kick, Kicked, KickedSession};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::KickSessions,
    failure::Failure,
    name::Name,
    render::{self, Report},
    session::kick::{
        confirmed,
        status::{self, Gateway},
    },
};

pub(super) async fn kick(admin: &mut Admin<'_, '_>, user: &Name, kick: &KickSessions) -> Result<(), Failure> {
    let slot = kick.select.slot.as_ref();
    let request = Kick {
        user: user.bytes().to_vec().into(),
        slot: slot.map(|slot| slot.bytes().to_vec().into()),
        reason: kick.reason.clone(),
        author: admin.author.clone(),
    };
    let mut ended = match admin.keeper.sessions().kick(request).await {
        Ok(kicked) if !kicked.sessions.is_empty() => Ended::from(kicked),
        Ok(_) => return Err(nobody(user, slot)),
        Err(error) if error.reason() == "not-found" => return Err(nobody(user, slot)),
        Err(error) => {
            return Err(Failure::of_change(error, &format!("keeperctl session get {}", user.quoted())));
        }
    };
    if kick.wait {
        ended.gateways = confirmed(admin, ended.kick).await?.gateways;
    }
    admin.console.print(&ended)
}

pub(super) fn nobody(user: &Name, slot: Option<&Name>) -> Failure {
    match slot {
        None => Failure::refused(format!("nobody to kick: user {user} is not connected")),
        Some(slot) => Failure::refused(format!("nobody to kick: user {user} is not connected in slot \"{slot}\""))
            .remedy(format!("see in which with `keeperctl session get {}`", user.quoted())),
    }
}

#[derive(Debug, Serialize)]
struct Ended {
    revision: u64,
    kick: u64,
    kicked: Vec<Row>,
    /// Only when their confirmations were waited for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gateways: Vec<Gateway>,
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
        let Kicked { revision, kick, sessions } = kicked;
        Self { revision, kick, kicked: sessions.into_iter().map(Row::from).collect(), gateways: Vec::new() }
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
        let ended = render::table(["KICKED", "SLOT", "INSTANCE", "CONNECTION", "EPOCH"], self.kicked.iter().map(cells));
        render::sections([ended, status::gateways(&self.gateways)])
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::{Confirmation, Epoch, Holder, KickGateway, SessionKey};

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
        Kicked { revision: 60, kick: 60, sessions: vec![KickedSession { key, holder: Some(holder) }] }.into()
    }

    #[test]
    fn nobody_is_named() {
        let ann = Name::from(&b"ann"[..]);
        assert_eq!(nobody(&ann, None).message, "nobody to kick: user ann is not connected");
        let tv = Name::from(&b"tv"[..]);
        assert_eq!(nobody(&ann, Some(&tv)).message, "nobody to kick: user ann is not connected in slot \"tv\"");
    }

    #[test]
    fn what_was_ended_is_printed() {
        let expected = "KICKED  SLOT  INSTANCE     CONNECTION  EPOCH\nann     -     room/room-1  c-9         41.0\n";
        assert_eq!(ended().table(), expected);
        let expected = concat!(
            r#"{"revision":60,"kick":60,"kicked":[{"user":"ann","slot":"","instance":"room/room-1","#,
            r#""connection":"c-9","epoch":"41.0"}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&ended()), Ok(expected.to_owned()));
    }

    #[test]
    fn confirmations_stand_below() {
        let gateway = KickGateway {
            service: "room".into(),
            instance: "room-1".into(),
            incarnation: 17,
            closed: 1,
            confirmation: Confirmation::Confirmed,
        };
        let ended = Ended { gateways: vec![gateway.into()], ..ended() };
        let expected =
            "\nINSTANCE     INCARNATION  CLOSED  CONFIRMATION\nroom/room-1  17           1       confirmed\n";
        assert!(ended.table().ends_with(expected), "{}", ended.table());
    }
}
