//! A session as it is printed.

use std::collections::BTreeMap;

use keeper_client_sdk::{FormerState, Formerly, Session};
use serde::Serialize;

use crate::{name::Name, render};

/// A session as it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    user: Name,
    slot: Name,
    instance: String,
    incarnation: u64,
    endpoints: Vec<String>,
    zone: String,
    connection: Name,
    epoch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn_seq: Option<u64>,
    topics: Vec<Name>,
    attributes: BTreeMap<String, String>,
    registered_at: String,
    #[serde(skip)]
    registered_at_ms: u64,
}

impl From<Session> for Row {
    fn from(session: Session) -> Self {
        let owner = &session.owner;
        Self {
            user: Name::from(&session.key.user()[..]),
            slot: Name::from(&session.key.slot()[..]),
            instance: format!("{}/{}", owner.service, owner.instance),
            incarnation: owner.incarnation,
            endpoints: owner.endpoints.clone(),
            zone: owner.zone.clone(),
            connection: Name::from(&session.connection[..]),
            epoch: session.epoch.to_string(),
            conn_seq: session.conn_seq,
            topics: session.topics.iter().map(|topic| Name::from(&topic[..])).collect(),
            attributes: session.attributes,
            registered_at: render::millisecond(session.registered_at_ms),
            registered_at_ms: session.registered_at_ms,
        }
    }
}

impl Row {
    fn cells(&self) -> [String; 9] {
        [
            self.user.to_string(),
            self.slot.to_string(),
            self.instance.clone(),
            render::list(&self.endpoints),
            self.connection.to_string(),
            self.epoch.clone(),
            render::second(self.registered_at_ms),
            render::list(&self.topics),
            render::pairs(&self.attributes),
        ]
    }
}

/// Sessions in columns.
pub(crate) fn table(rows: &[Row]) -> String {
    let headings =
        ["USER", "SLOT", "INSTANCE", "ENDPOINTS", "CONNECTION", "EPOCH", "REGISTERED", "TOPICS", "ATTRIBUTES"];
    render::table(headings, rows.iter().map(Row::cells))
}

/// A session that is not live, and not gone either.
#[derive(Debug, Serialize)]
pub(crate) struct Former {
    #[serde(flatten)]
    row: Row,
    state: &'static str,
    /// Until when it may come back.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip)]
    until_ms: Option<u64>,
}

impl From<Formerly> for Former {
    fn from(formerly: Formerly) -> Self {
        let (state, until_ms) = match formerly.state {
            FormerState::Lingering { until_ms } => ("lingering", Some(until_ms)),
            FormerState::Unconfirmed => ("unconfirmed", None),
        };
        let until = until_ms.map(render::millisecond);
        Self { row: formerly.session.into(), state, until, until_ms }
    }
}

impl Former {
    /// What it is, in words.
    pub(crate) fn words(&self) -> String {
        match self.until_ms {
            Some(until) => format!("{} until {}", self.state, render::second(until)),
            None => self.state.to_owned(),
        }
    }
}

/// Sessions of a user in columns: those that are live, and those that may be again.
pub(crate) fn states(live: &[Row], formerly: &[Former]) -> String {
    let headings =
        ["USER", "SLOT", "STATE", "INSTANCE", "ENDPOINTS", "CONNECTION", "EPOCH", "REGISTERED", "TOPICS", "ATTRIBUTES"];
    let live = live.iter().map(|row| (row, "live".to_owned()));
    let formerly = formerly.iter().map(|former| (&former.row, former.words()));
    let cells = |(row, state): (&Row, String)| {
        let [user, slot, rest @ ..] = row.cells();
        let [instance, endpoints, connection, epoch, registered, topics, attributes] = rest;
        [user, slot, state, instance, endpoints, connection, epoch, registered, topics, attributes]
    };
    render::table(headings, live.chain(formerly).map(cells))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use keeper_client_sdk::{Epoch, Owner, SessionKey};

    use super::*;

    pub(crate) fn session(user: &str, slot: &str) -> Session {
        let owner = Owner {
            service: "room".into(),
            instance: "room-1".into(),
            incarnation: 17,
            endpoints: vec!["10.0.0.1:9000".into(), "[::1]:9000".into()],
            zone: "eu-1".into(),
        };
        Session {
            key: SessionKey::new(user.to_owned(), slot.to_owned()).expect("within limits"),
            owner: Arc::new(owner),
            connection: vec![0, 7].into(),
            epoch: Epoch { revision: 41, position: 3 },
            conn_seq: None,
            topics: vec!["news".into(), vec![255].into()],
            attributes: BTreeMap::from([("net".into(), "wifi".into()), ("v".into(), "1.2".into())]),
            registered_at_ms: 1_795_361_762_345,
        }
    }

    #[test]
    fn sessions_in_columns() {
        let plain = Session {
            topics: Vec::new(),
            attributes: BTreeMap::new(),
            connection: Default::default(),
            ..session("bob", "")
        };
        let rows = [session("ann", "phone").into(), plain.into()];
        let expected = "\
USER  SLOT   INSTANCE     ENDPOINTS                 CONNECTION  EPOCH  REGISTERED            TOPICS     ATTRIBUTES
ann   phone  room/room-1  10.0.0.1:9000,[::1]:9000  0x0007      41.3   2026-11-22T15:36:02Z  news,0xff  net=wifi,v=1.2
bob   -      room/room-1  10.0.0.1:9000,[::1]:9000  -           41.3   2026-11-22T15:36:02Z  -          -
";
        assert_eq!(table(&rows), expected);
    }

    pub(crate) fn lingering(user: &str) -> Former {
        let state = FormerState::Lingering { until_ms: 1_795_361_765_000 };
        Formerly { session: session(user, ""), state }.into()
    }

    #[test]
    fn states_in_columns() {
        let unconfirmed = Formerly { session: session("ann", "tv"), state: FormerState::Unconfirmed }.into();
        let states = states(&[session("ann", "phone").into()], &[lingering("ann"), unconfirmed]);
        let columns: Vec<_> = states.lines().map(|line| line.split("  ").filter(|it| !it.is_empty()).take(3)).collect();
        let columns: Vec<String> =
            columns.into_iter().map(|it| it.map(str::trim).collect::<Vec<_>>().join("|")).collect();
        let expected =
            ["USER|SLOT|STATE", "ann|phone|live", "ann|-|lingering until 2026-11-22T15:36:05Z", "ann|tv|unconfirmed"];
        assert_eq!(columns, expected);
    }

    #[test]
    fn sessions_as_json() {
        let expected = concat!(
            r#"{"user":"ann","slot":"phone","instance":"room/room-1","incarnation":17,"#,
            r#""endpoints":["10.0.0.1:9000","[::1]:9000"],"zone":"eu-1","connection":"0x0007","epoch":"41.3","#,
            r#""topics":["news","0xff"],"attributes":{"net":"wifi","v":"1.2"},"#,
            r#""registered_at":"2026-11-22T15:36:02.345Z"}"#,
            "\n"
        );
        assert_eq!(render::json_line(&Row::from(session("ann", "phone"))), Ok(expected.to_owned()));
        let lingering = render::json_line(&lingering("ann")).expect("JSON");
        let expected = ",\"state\":\"lingering\",\"until\":\"2026-11-22T15:36:05.000Z\"}\n";
        assert!(lingering.ends_with(expected), "{lingering}");
    }
}
