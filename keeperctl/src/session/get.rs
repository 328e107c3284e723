//! `keeperctl session get`: where a user is connected, or was a moment ago.

use keeper_client_sdk::{Consistency, Rebuilding, Session, SessionKey};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::{GetSessions, UserSessions},
    failure::Failure,
    local,
    name::Name,
    render::{self, Report},
    session::{
        rebuild,
        row::{self, Former, Row},
    },
};

pub(super) async fn get(admin: &mut Admin<'_, '_>, typed: &GetSessions) -> Result<(), Failure> {
    let GetSessions { whose: get, local } = typed;
    if let Some(slot) = &get.slot {
        // A slot that cannot be is a mistake, not an absence.
        SessionKey::new(get.user.bytes().to_vec(), slot.bytes().to_vec())?;
    }
    let consistency = if *local { Consistency::Local } else { Consistency::Linearizable };
    let lookup = admin.keeper.lookup().consistency(consistency);
    let ask = || lookup.user(get.user.bytes().to_vec());
    let mut looked = ask().await.map_err(|error| local::instead(error.into(), *local))?;
    if *local && local::known_ms(looked.age).is_none() {
        local::rest().await;
        looked = ask().await?;
    }
    let wanted = |session: &Session| get.slot.as_ref().is_none_or(|slot| session.key.slot()[..] == *slot.bytes());
    let (sessions, others): (Vec<_>, Vec<_>) = looked.found.into_iter().partition(wanted);
    let formerly = looked.formerly.into_iter().filter(|it| wanted(&it.session)).map(Former::from).collect();
    let found = Found {
        revision: looked.revision,
        sessions: sessions.into_iter().map(Row::from).collect(),
        formerly,
        rebuilding_permille: looked.rebuilding.map(|it| it.done_permille),
        age_ms: local.then(|| local::known_ms(looked.age)).flatten(),
    };
    admin.console.print(&found)?;
    if *local {
        admin.console.say(local::words(found.revision, found.age_ms));
    }
    if found.sessions.is_empty() { Err(absent(get, &found, &others, looked.rebuilding)) } else { Ok(()) }
}

/// Nobody there, and where the user is instead.
fn absent(get: &UserSessions, found: &Found, others: &[Session], rebuilding: Option<Rebuilding>) -> Failure {
    let user = &get.user;
    let mut failure = match &get.slot {
        Some(slot) if !others.is_empty() => {
            let slots = others.iter().map(|session| format!("\"{}\"", Name::from(&session.key.slot()[..])));
            Failure::refused(format!("user {user} is not connected in slot \"{slot}\""))
                .remedy(format!("the user is connected in {}: leave out `--slot` to see", render::list(slots)))
        }
        Some(_) | None => Failure::refused(format!("user {user} is not connected")),
    };
    for former in &found.formerly {
        failure = failure.remedy(format!("who held the session last is shown; it is {}", former.words()));
    }
    if let Some(rebuilding) = rebuilding {
        let done = rebuild::percent(rebuilding.done_permille);
        let until = render::second(rebuilding.not_before_ms);
        failure = failure.remedy(format!(
            "the user may be connected all the same: the registry is being filled again, {done} done, until {until} at \
             least; see `keeperctl session rebuild-status`"
        ));
    }
    if failure.remedies.is_empty() {
        let look = "look for similar ones with `keeperctl session list --user-prefix ..`";
        let why = format!("see what happened with `keeperctl session explain {}`", user.quoted());
        failure = failure.remedy(format!("names are compared byte by byte: {look}")).remedy(why);
    }
    failure
}

#[derive(Debug, Serialize)]
struct Found {
    revision: u64,
    sessions: Vec<Row>,
    formerly: Vec<Former>,
    /// How far the registry is in being filled again; none: it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilding_permille: Option<u32>,
    /// Of a state that nobody confirmed: since when it is not known to be up to date.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<u64>,
}

impl Report for Found {
    fn table(&self) -> String {
        row::states(&self.sessions, &self.formerly)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::row::tests::{lingering, session};

    fn get(slot: Option<&str>) -> UserSessions {
        UserSessions { user: Name::from(&b"ann"[..]), slot: slot.map(|slot| Name::from(slot.as_bytes())) }
    }

    fn found(formerly: Vec<Former>) -> Found {
        Found { revision: 52, sessions: Vec::new(), formerly, rebuilding_permille: None, age_ms: None }
    }

    #[test]
    fn other_slots_are_named() {
        let others = [session("ann", "phone"), session("ann", "")];
        let failure = absent(&get(Some("tv")), &found(Vec::new()), &others, None);
        assert_eq!(failure.message, "user ann is not connected in slot \"tv\"");
        assert_eq!(failure.remedies, ["the user is connected in \"phone\",\"\": leave out `--slot` to see"]);
        for slot in [Some("tv"), None] {
            let failure = absent(&get(slot), &found(Vec::new()), &[], None);
            assert_eq!(failure.message, "user ann is not connected");
            assert_eq!(failure.remedies[1], "see what happened with `keeperctl session explain ann`");
        }
    }

    #[test]
    fn who_may_be_there_all_the_same_is_said() {
        let rebuilding = Rebuilding { done_permille: 125, not_before_ms: 1_795_361_782_345 };
        let failure = absent(&get(None), &found(vec![lingering("ann")]), &[], Some(rebuilding));
        let expected = "who held the session last is shown; it is lingering until 2026-11-22T15:36:05Z";
        assert_eq!(failure.remedies[0], expected);
        assert!(
            failure.remedies[1].contains("being filled again, 12.5 % done, until 2026-11-22T15:36:22Z at"),
            "{failure:?}"
        );
    }

    #[test]
    fn what_is_live_is_told_from_what_was() {
        let json = render::json_line(&found(vec![lingering("ann")])).expect("JSON");
        assert!(json.starts_with(r#"{"revision":52,"sessions":[],"formerly":[{"user":"ann","#), "{json}");
        let whole = render::json_line(&found(Vec::new()));
        assert_eq!(whole, Ok("{\"revision\":52,\"sessions\":[],\"formerly\":[]}\n".into()));
    }
}
