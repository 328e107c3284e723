//! What happened to a session, as it is printed: a line of a watch, a row of a timeline.

use keeper_client_sdk::{MovedFrom, OfflineReason, Place, PresenceChange, PresenceFact, PresenceScope};
use serde::Serialize;

use crate::{name::Name, render};

/// What happened to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Fact {
    pub(super) at: String,
    pub(super) revision: u64,
    pub(super) event: Event,
    pub(super) user: Name,
    pub(super) slot: Name,
    /// Where the session is, or was last.
    pub(super) instance: String,
    pub(super) incarnation: u64,
    pub(super) connection: Name,
    pub(super) epoch: String,
    /// The session, or some of its topics alone.
    pub(super) about: &'static str,
    /// Those whose subscribers are told.
    pub(super) topics: Vec<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Before>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'static str>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) author: String,
    #[serde(skip)]
    pub(super) at_ms: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Event {
    Online,
    Offline,
    Moved,
    Reconnected,
    Dropped,
}

/// Where a session came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Before {
    pub(super) instance: String,
    pub(super) incarnation: u64,
    pub(super) connection: Name,
    pub(super) epoch: String,
}

impl From<PresenceFact> for Fact {
    fn from(fact: PresenceFact) -> Self {
        let (event, from, reason) = match fact.change {
            PresenceChange::Online => (Event::Online, None, None),
            PresenceChange::Offline(reason) => (Event::Offline, None, Some(reason)),
            PresenceChange::Moved(from) => (Event::Moved, Some(from), None),
            PresenceChange::Reconnected(from) => (Event::Reconnected, Some(from), None),
            PresenceChange::Dropped(reason) => (Event::Dropped, None, Some(reason)),
        };
        let (reason, message, author) = reason.map(said).unwrap_or_default();
        Self {
            at: render::millisecond(fact.at_ms),
            revision: fact.revision,
            event,
            user: Name::from(&fact.key.user()[..]),
            slot: Name::from(&fact.key.slot()[..]),
            instance: name(&fact.place),
            incarnation: fact.place.incarnation,
            connection: Name::from(&fact.connection[..]),
            epoch: fact.epoch.to_string(),
            about: match fact.scope {
                PresenceScope::Session => "session",
                PresenceScope::Topics => "topics",
            },
            topics: fact.topics.iter().map(|topic| Name::from(&topic[..])).collect(),
            from: from.map(Before::from),
            reason,
            message,
            author,
            at_ms: fact.at_ms,
        }
    }
}

impl From<MovedFrom> for Before {
    fn from(from: MovedFrom) -> Self {
        Self {
            instance: name(&from.place),
            incarnation: from.place.incarnation,
            connection: Name::from(&from.connection[..]),
            epoch: from.epoch.to_string(),
        }
    }
}

fn name(place: &Place) -> String {
    format!("{}/{}", place.service, place.instance)
}

/// A reason by its name, and what whoever decided it had to say.
fn said(reason: OfflineReason) -> (Option<&'static str>, String, String) {
    let name = match reason {
        OfflineReason::Kicked { reason, author } => return (Some("kicked"), reason, author),
        OfflineReason::Left => "left",
        OfflineReason::Lost => "lost",
        OfflineReason::GatewayClosed => "gateway-closed",
        OfflineReason::GatewayExpired => "gateway-expired",
        OfflineReason::GatewayReplaced => "gateway-replaced",
        OfflineReason::Unbound => "unbound",
        OfflineReason::Unconfirmed => "unconfirmed",
        OfflineReason::Unknown | _ => "unknown",
    };
    (Some(name), String::new(), String::new())
}

impl Event {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Moved => "moved",
            Self::Reconnected => "reconnected",
            Self::Dropped => "dropped",
        }
    }
}

impl Fact {
    /// One line of a watch, without its line feed.
    pub(super) fn line(&self) -> String {
        let slot = if self.slot.bytes().is_empty() { String::new() } else { format!(" slot {}", self.slot) };
        let place = match &self.from {
            Some(from) if self.event == Event::Moved && from.instance == self.instance => {
                let (now, before) = (self.incarnation, from.incarnation);
                format!("to {} anew, incarnation {now} after {before}", self.instance)
            }
            Some(from) if self.event == Event::Moved => format!("from {} to {}", from.instance, self.instance),
            Some(_) | None => format!("at {}", self.instance),
        };
        let why = if self.reason.is_some() { format!(": {}", self.why()) } else { String::new() };
        let at = render::second(self.at_ms);
        render::printable(&format!("{at} {:<11} {}{slot} {place}{why}", self.event.as_str(), self.user))
    }

    /// From where it came, or why it ended; empty when there is nothing to say.
    pub(super) fn why(&self) -> String {
        if let Some(from) = &self.from {
            let connection =
                if from.connection.bytes().is_empty() { String::new() } else { format!(" {}", from.connection) };
            return match self.event {
                Event::Moved if from.instance == self.instance => {
                    let before = from.incarnation;
                    format!("from its incarnation {before}, connection{connection}, epoch {}", from.epoch)
                }
                Event::Moved => format!("from {}, connection{connection}, epoch {}", from.instance, from.epoch),
                Event::Online | Event::Offline | Event::Reconnected | Event::Dropped => {
                    format!("in place of connection{connection}, epoch {}", from.epoch)
                }
            };
        }
        let Some(reason) = self.reason else { return String::new() };
        let by = if self.author.is_empty() { String::new() } else { format!(" by {}", self.author) };
        let message = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        let said = match (self.event, reason) {
            (_, "left") => "the device said good-bye",
            (Event::Dropped, "lost") => "the connection dropped",
            (_, "lost") => "the connection dropped and did not come back in time",
            (_, "gateway-closed") => "its gateway closed",
            (_, "gateway-expired") => "its gateway's lease ran out",
            (_, "gateway-replaced") => "its gateway began anew: restarted, or its lease had no answer for a TTL",
            (_, "unbound") => "unbound from the topic",
            (_, "unconfirmed") => "it came from a backup, and nobody registered it again",
            (_, other) => other,
        };
        format!("{said}{by}{message}")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::session) fn fact(event: Event, reason: Option<&'static str>) -> Fact {
        Fact {
            at: render::millisecond(1_795_361_762_345),
            revision: 52,
            event,
            user: Name::from(&b"ann"[..]),
            slot: Name::from(&b"phone"[..]),
            instance: "room/room-1".into(),
            incarnation: 17,
            connection: Name::from(&b"c-9"[..]),
            epoch: "41.3".into(),
            about: "session",
            topics: vec![Name::from(&b"news"[..])],
            from: None,
            reason,
            message: String::new(),
            author: String::new(),
            at_ms: 1_795_361_762_345,
        }
    }

    pub(in crate::session) fn moved() -> Fact {
        let from = Before {
            instance: "room/room-2".into(),
            incarnation: 11,
            connection: Name::from(&b"c-4"[..]),
            epoch: "33.0".into(),
        };
        Fact { from: Some(from), ..fact(Event::Moved, None) }
    }

    #[test]
    fn facts_in_lines() {
        let kicked =
            Fact { message: "spam\u{1b}[2J".into(), author: "ann@desk".into(), ..fact(Event::Offline, Some("kicked")) };
        let plain = Fact { slot: Name::default(), ..fact(Event::Online, None) };
        let told = [
            (plain, "online      ann at room/room-1"),
            (moved(), "moved       ann slot phone from room/room-2 to room/room-1"),
            (kicked, r"offline     ann slot phone at room/room-1: kicked by ann@desk: spam\u{1b}[2J"),
            (fact(Event::Dropped, Some("lost")), "dropped     ann slot phone at room/room-1: the connection dropped"),
        ];
        for (fact, words) in told {
            assert_eq!(fact.line(), format!("2026-11-22T15:36:02Z {words}"));
        }
    }

    #[test]
    fn facts_as_json() {
        let expected = concat!(
            r#"{"at":"2026-11-22T15:36:02.345Z","revision":52,"event":"moved","user":"ann","slot":"phone","#,
            r#""instance":"room/room-1","incarnation":17,"connection":"c-9","epoch":"41.3","about":"session","topics":["news"],"#,
            r#""from":{"instance":"room/room-2","incarnation":11,"connection":"c-4","epoch":"33.0"}}"#,
            "\n"
        );
        assert_eq!(render::json_line(&moved()), Ok(expected.to_owned()));
        let lost = render::json_line(&fact(Event::Offline, Some("lost"))).expect("JSON");
        assert!(lost.contains(r#""event":"offline""#) && lost.ends_with(",\"reason\":\"lost\"}\n"), "{lost}");
    }

    #[test]
    fn every_end_has_its_words() {
        assert_eq!(fact(Event::Offline, Some("gateway-expired")).why(), "its gateway's lease ran out");
        let replaced = "its gateway began anew: restarted, or its lease had no answer for a TTL";
        assert_eq!(fact(Event::Offline, Some("gateway-replaced")).why(), replaced);
        assert_eq!(moved().why(), "from room/room-2, connection c-4, epoch 33.0");
        let anew = moved().from.map(|from| Before { instance: "room/room-1".into(), ..from });
        let anew = Fact { from: anew, ..moved() };
        assert_eq!(anew.why(), "from its incarnation 11, connection c-4, epoch 33.0");
        assert!(
            anew.line().ends_with("ann slot phone to room/room-1 anew, incarnation 17 after 11"),
            "{}",
            anew.line()
        );
        let reconnected = Fact { event: Event::Reconnected, ..moved() };
        assert_eq!(reconnected.why(), "in place of connection c-4, epoch 33.0");
        assert_eq!(fact(Event::Online, None).why(), "");
    }
}
