//! A session as it is printed.

use std::collections::BTreeMap;

use keeper_client_sdk::Session;
use serde::Serialize;

use crate::{
    name::Name,
    render::{self, Report},
};

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

/// Sessions in columns.
pub(crate) fn table(rows: &[Row]) -> String {
    let headings =
        ["USER", "SLOT", "INSTANCE", "ENDPOINTS", "CONNECTION", "EPOCH", "REGISTERED", "TOPICS", "ATTRIBUTES"];
    let cells = |row: &Row| {
        [
            row.user.to_string(),
            row.slot.to_string(),
            row.instance.clone(),
            render::list(&row.endpoints),
            row.connection.to_string(),
            row.epoch.clone(),
            render::second(row.registered_at_ms),
            render::list(&row.topics),
            render::pairs(&row.attributes),
        ]
    };
    render::table(headings, rows.iter().map(cells))
}

/// Every session of one answer.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) revision: u64,
    pub(crate) sessions: Vec<Row>,
}

impl Report for Found {
    fn table(&self) -> String {
        table(&self.sessions)
    }
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

    #[test]
    fn sessions_as_json() {
        let found = Found { revision: 52, sessions: vec![session("ann", "phone").into()] };
        let expected = concat!(
            r#"{"revision":52,"sessions":[{"user":"ann","slot":"phone","instance":"room/room-1","incarnation":17,"#,
            r#""endpoints":["10.0.0.1:9000","[::1]:9000"],"zone":"eu-1","connection":"0x0007","epoch":"41.3","#,
            r#""topics":["news","0xff"],"attributes":{"net":"wifi","v":"1.2"},"#,
            r#""registered_at":"2026-11-22T15:36:02.345Z"}]}"#,
            "\n"
        );
        assert_eq!(render::json_line(&found), Ok(expected.to_owned()));
    }
}
