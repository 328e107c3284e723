//! `keeperctl session explain`: what happened to a user's sessions.

use keeper_client_sdk::{Explained, SessionKey};
use serde::Serialize;

use crate::{
    admin::Admin,
    args::UserSessions,
    failure::Failure,
    render::{self, Report},
    session::{
        fact::Fact,
        row::{self, Former, Row},
    },
};

pub(super) async fn explain(admin: &mut Admin<'_, '_>, typed: &UserSessions) -> Result<(), Failure> {
    let slot = typed.slot.as_ref().map(|slot| slot.bytes().to_vec());
    let key = SessionKey::new(typed.user.bytes().to_vec(), slot.clone().unwrap_or_default())?;
    let explained = admin.keeper.sessions().explain(key.user().clone(), slot.map(Into::into)).await?;
    let timeline = Timeline::from(explained);
    admin.console.print(&timeline)?;
    if timeline.is_empty() {
        return Err(Failure::refused(format!("nothing is remembered of user {}", typed.user)).remedy(timeline.reach()));
    }
    admin.console.say(timeline.reach());
    if timeline.sessions.is_empty() {
        admin.console.say(format_args!("user {} is not connected now", typed.user));
    }
    Ok(())
}

/// What happened, oldest first, and what is now.
#[derive(Debug, Serialize)]
struct Timeline {
    revision: u64,
    since_revision: u64,
    since: String,
    facts: Vec<Fact>,
    sessions: Vec<Row>,
    formerly: Vec<Former>,
}

impl Timeline {
    const fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.sessions.is_empty() && self.formerly.is_empty()
    }

    /// How far back it goes, in words.
    fn reach(&self) -> String {
        match self.since_revision {
            0 => "everything since the cluster was founded is remembered".to_owned(),
            revision => format!("nothing before {} (revision {revision}) is remembered", self.since),
        }
    }
}

impl From<Explained> for Timeline {
    fn from(explained: Explained) -> Self {
        Self {
            revision: explained.revision,
            since_revision: explained.since_revision,
            since: render::millisecond(explained.since_ms),
            facts: explained.facts.into_iter().map(Fact::from).collect(),
            sessions: explained.sessions.into_iter().map(Row::from).collect(),
            formerly: explained.formerly.into_iter().map(Former::from).collect(),
        }
    }
}

impl Report for Timeline {
    fn table(&self) -> String {
        let headings = ["AT", "REVISION", "SLOT", "EVENT", "INSTANCE", "CONNECTION", "EPOCH", "ABOUT", "TOPICS", "WHY"];
        let cells = |fact: &Fact| {
            [
                fact.at.clone(),
                fact.revision.to_string(),
                fact.slot.to_string(),
                fact.event.as_str().to_owned(),
                fact.instance.clone(),
                fact.connection.to_string(),
                fact.epoch.clone(),
                fact.about.to_owned(),
                render::list(&fact.topics),
                fact.why(),
            ]
        };
        let facts = render::table(headings, self.facts.iter().map(cells));
        render::sections([facts, row::states(&self.sessions, &self.formerly)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{
        fact::{
            Event,
            tests::{fact, moved},
        },
        row::tests::{lingering, session},
    };

    fn timeline(facts: Vec<Fact>) -> Timeline {
        Timeline {
            revision: 60,
            since_revision: 12,
            since: render::millisecond(1_795_361_700_000),
            facts,
            sessions: Vec::new(),
            formerly: Vec::new(),
        }
    }

    #[test]
    fn a_timeline_in_columns() {
        let offline = || fact(Event::Offline, Some("gateway-closed"));
        let facts = vec![fact(Event::Online, None), Fact { about: "topics", ..offline() }, offline()];
        let expected = "\
AT                        REVISION  SLOT   EVENT    INSTANCE     CONNECTION  EPOCH  ABOUT    TOPICS  WHY
2026-11-22T15:36:02.345Z  52        phone  online   room/room-1  c-9         41.3   session  news    -
2026-11-22T15:36:02.345Z  52        phone  offline  room/room-1  c-9         41.3   topics   news    its gateway closed
2026-11-22T15:36:02.345Z  52        phone  offline  room/room-1  c-9         41.3   session  news    its gateway closed
";
        assert_eq!(timeline(facts).table(), expected);
    }

    #[test]
    fn what_is_now_stands_below() {
        let sessions = vec![session("ann", "phone").into()];
        let timeline = Timeline { sessions, formerly: vec![lingering("ann")], ..timeline(vec![moved()]) };
        let table = timeline.table();
        let (facts, now) = table.split_once("\n\n").expect("two tables");
        assert_eq!((facts.lines().count(), now.lines().count()), (2, 3));
        let json = render::json_line(&timeline).expect("JSON");
        let begin = r#"{"revision":60,"since_revision":12,"since":"2026-11-22T15:35:00.000Z","facts":[{"at":"#;
        assert!(json.starts_with(begin), "{json}");
    }
}
