//! `keeperctl session get`: where a user is connected.

use keeper_client_sdk::{Session, SessionKey};

use crate::{
    admin::Admin,
    args::GetSession,
    failure::Failure,
    name::Name,
    render,
    session::row::{Found, Row},
};

pub(crate) async fn get(admin: &mut Admin<'_, '_>, get: &GetSession) -> Result<(), Failure> {
    let looked = admin.keeper.lookup().user(get.user.bytes().to_vec()).await?;
    let wanted = |session: &Session| get.slot.as_ref().is_none_or(|slot| session.key.slot()[..] == *slot.bytes());
    if let Some(slot) = &get.slot {
        // A slot that cannot be is a mistake, not an absence.
        SessionKey::new(get.user.bytes().to_vec(), slot.bytes().to_vec())?;
    }
    let (sessions, others): (Vec<_>, Vec<_>) = looked.found.into_iter().partition(wanted);
    let nobody = sessions.is_empty().then(|| absent(get, &others));
    let sessions: Vec<Row> = sessions.into_iter().map(Row::from).collect();
    admin.console.print(&Found { revision: looked.revision, sessions })?;
    nobody.map_or(Ok(()), Err)
}

/// Nobody there, and where the user is instead.
fn absent(get: &GetSession, others: &[Session]) -> Failure {
    let user = &get.user;
    match &get.slot {
        Some(slot) if !others.is_empty() => {
            let slots = others.iter().map(|session| format!("\"{}\"", Name::from(&session.key.slot()[..])));
            Failure::refused(format!("user {user} is not connected in slot \"{slot}\""))
                .remedy(format!("the user is connected in {}: leave out `--slot` to see", render::list(slots)))
        }
        Some(_) | None => Failure::refused(format!("user {user} is not connected"))
            .remedy("names are compared byte by byte: look for similar ones with `keeperctl session list --prefix ..`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::row::tests::session;

    #[test]
    fn other_slots_are_named() {
        let get = |slot: Option<&str>| GetSession {
            user: Name::from(&b"ann"[..]),
            slot: slot.map(|slot| Name::from(slot.as_bytes())),
        };
        let failure = absent(&get(Some("tv")), &[session("ann", "phone"), session("ann", "")]);
        assert_eq!(failure.message, "user ann is not connected in slot \"tv\"");
        assert_eq!(failure.remedies, ["the user is connected in \"phone\",\"\": leave out `--slot` to see"]);
        assert_eq!(absent(&get(Some("tv")), &[]).message, "user ann is not connected");
        assert_eq!(absent(&get(None), &[]).message, "user ann is not connected");
    }
}
