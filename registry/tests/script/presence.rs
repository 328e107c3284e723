//! What is decided about sessions, and what is told of them.

use std::sync::Arc;

use anyhow::{Result, bail};
use bytes::Bytes;
use keeper_registry::{
    Command, DocumentAction, DocumentChange, Format, Former, OfflineReason, Place, Policy, PresenceCursor,
    PresenceFact, PresenceWhat, Publish, Revision, SessionPolicy, State, TopicPolicy, limits,
};

use crate::{
    print,
    words::{Line, pair},
};

/// A policy, as the proposer would publish it; `policy none` deletes it.
pub(crate) fn policy(line: &Line) -> Result<Command> {
    let action = if line.word_or_empty(0) == "none" {
        DocumentAction::Delete
    } else {
        let policy = read_policy(line)?;
        let text = Bytes::from(format!("{policy:?}"));
        let policy = Some(Policy::Sessions(Arc::new(policy)));
        DocumentAction::Put { format: Format::Toml, value: text.clone(), text, policy }
    };
    let change = DocumentChange { path: limits::POLICY_PATH.to_owned(), expected: None, action };
    Ok(Command::Publish(Publish { changes: vec![change], ..Publish::default() }))
}

fn read_policy(line: &Line) -> Result<SessionPolicy> {
    let mut policy = SessionPolicy {
        grace_ms: line.optional("grace")?.unwrap_or_default() as u32,
        instance_sessions_max: line.optional("sessions")?,
        ..SessionPolicy::default()
    };
    for below in &line.below {
        let name = below.word(0)?;
        match below.verb.as_str() {
            "topic" => {
                let grace_ms = below.optional("grace")?.map(|grace| grace as u32);
                let topic = TopicPolicy { grace_ms, sessions_max: below.optional("sessions")? };
                policy.topics.insert(name.as_bytes().into(), topic);
            }
            "instance" => {
                let (service, id) = name.split_once('/').unwrap_or((name, ""));
                policy.instances.insert((service.into(), id.into()), below.number("sessions")?);
            }
            "expected" => {
                let (service, id) = name.split_once('/').unwrap_or((name, ""));
                policy.expected.push((service.into(), id.into()));
            }
            verb => bail!("{verb} is not decided by a policy"),
        }
    }
    Ok(policy)
}

/// Facts after a cursor, or those of a user.
pub(crate) fn facts(state: &State, line: &Line) -> Result<Vec<String>> {
    let ring = state.presence();
    if let Some(user) = line.get("of") {
        return Ok(ring.read_all().of_user(user.as_bytes(), None).map(|told| fact(&told)).collect());
    }
    let (revision, position) = line.get("since").map_or(Ok((0, 0)), pair)?;
    let cursor = PresenceCursor { revision: Revision(revision), position };
    let limit = line.optional("limit")?.map_or(usize::MAX, |limit| limit as usize);
    Ok(match ring.read_after(cursor, limit) {
        None => vec![format!("reset, floor {}", print_cursor(ring.floor()))],
        Some(slice) => slice.iter().map(|told| fact(&told)).collect(),
    })
}

fn print_cursor(PresenceCursor { revision, position }: PresenceCursor) -> String {
    format!("{}.{position}", revision.0)
}

fn fact(told: &PresenceFact<'_>) -> String {
    let all = told.whole.then(|| "all".to_owned());
    let views: Vec<_> = all.into_iter().chain(told.topics.iter().map(print::text)).collect();
    let views = if views.is_empty() { "nobody".to_owned() } else { views.join(",") };
    let (at, connection) = (place(told.place), print::text(told.connection));
    let user = if told.user.is_empty() { "every session".to_owned() } else { print::name(told.user, told.slot) };
    let what = what(&told.what);
    let (cursor, epoch) = (print_cursor(told.cursor), print::epoch(told.epoch));
    format!("{cursor} {} ms to {views}: {user} {what}, {at} {connection} epoch={epoch}", told.at.0)
}

fn what(what: &PresenceWhat<'_>) -> String {
    match what {
        PresenceWhat::Online => "online".to_owned(),
        PresenceWhat::Offline(reason) => format!("offline ({})", self::reason(reason)),
        PresenceWhat::Dropped(reason) => format!("dropped ({})", self::reason(reason)),
        PresenceWhat::Moved(former) => format!("moved from {}", self::former(former)),
        PresenceWhat::Reconnected(former) => format!("reconnected after {}", self::former(former)),
    }
}

fn former(former: &Former<'_>) -> String {
    format!("{} {} epoch={}", place(former.place), print::text(former.connection), print::epoch(former.epoch))
}

fn place(place: &Place) -> String {
    format!("{}/{} i{}", place.service, place.id, place.incarnation.0)
}

fn reason(reason: &OfflineReason<'_>) -> String {
    match reason {
        OfflineReason::Kicked { reason, author } => format!("kicked by {author}: {reason}"),
        OfflineReason::Left => "left".to_owned(),
        OfflineReason::Lost => "lost".to_owned(),
        OfflineReason::GatewayClosed => "gateway closed".to_owned(),
        OfflineReason::GatewayExpired => "gateway expired".to_owned(),
        OfflineReason::GatewayReplaced => "gateway replaced".to_owned(),
        OfflineReason::Unbound => "unbound".to_owned(),
        OfflineReason::Unconfirmed => "unconfirmed".to_owned(),
    }
}
