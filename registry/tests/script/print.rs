//! Answers, as short as they stay exact.

use keeper_registry::{
    Document, Epoch, Event, Holder, Instance, Kicked, Notice, NoticeCause, NoticeCursor, OperationResult, Rejection,
    Reply, SessionKey, SessionView,
};

use crate::config;

pub(crate) fn text(bytes: &[u8]) -> String {
    if bytes.len() > 40 { format!("{} bytes", bytes.len()) } else { String::from_utf8_lossy(bytes).into_owned() }
}

pub(crate) fn epoch(epoch: Epoch) -> String {
    format!("{}.{}", epoch.revision.0, epoch.position)
}

pub(crate) fn cursor(cursor: NoticeCursor) -> String {
    format!("{}.{}", cursor.revision.0, cursor.position)
}

pub(crate) fn key(key: &SessionKey) -> String {
    name(&key.user, &key.slot)
}

pub(crate) fn name(user: &[u8], slot: &[u8]) -> String {
    if slot.is_empty() { text(user) } else { format!("{}/{}", text(user), text(slot)) }
}

pub(crate) fn holder(holder: &Holder) -> String {
    let Holder { service, instance, incarnation, connection, epoch: held } = holder;
    format!("{service}/{instance} i{} {} epoch={}", incarnation.0, text(connection), epoch(*held))
}

pub(crate) fn answer(answer: &Result<Reply, Rejection>) -> String {
    match answer {
        Ok(reply) => self::reply(reply),
        Err(rejection) => format!("refused: {}", self::rejection(rejection)),
    }
}

fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Founded(state) => format!("founded {}", state.0),
        Reply::Frame { revision, results } => {
            let results: String = results.iter().map(|one| format!("\n  {}", result(one))).collect();
            format!("taken at r{}{results}", revision.0)
        }
        Reply::Kicked { job, kicked } => {
            let each =
                |Kicked { key: kicked, holder: held }: &Kicked| format!("\n  {} of {}", key(kicked), holder(held));
            format!("kick #{job}{}", kicked.iter().map(each).collect::<String>())
        }
        Reply::KickStepped { closed, more } => format!("ended {closed}{}", remaining(*more)),
        Reply::Opened { incarnation } => format!("opened i{}", incarnation.0),
        Reply::Closed => "closed".to_owned(),
        Reply::Swept { rows, more } => format!("swept {rows}{}", remaining(*more)),
        Reply::GivenUp => "given up".to_owned(),
        Reply::LevelRaised { level } => format!("level {level}"),
        Reply::Restored(state) => format!("restored as {}", state.0),
        Reply::Published { revision, changed } => {
            format!("{} r{}", if *changed { "published" } else { "unchanged" }, revision.0)
        }
        Reply::ControlSent { control, instances } => format!("sent #{control} to {instances}"),
        Reply::Acknowledged => "acknowledged".to_owned(),
        Reply::Rollout { rollout, state, stage } => format!("rollout {rollout} {state:?} at stage {stage}"),
        Reply::Announced => "announced".to_owned(),
        Reply::NodeRetired => "retired".to_owned(),
        Reply::NodeReserved { node } => format!("node {node}"),
    }
}

fn remaining(more: bool) -> &'static str {
    if more { ", more remain" } else { "" }
}

fn result(result: &OperationResult) -> String {
    match result {
        OperationResult::Registered { epoch: given, displaced: None } => format!("registered epoch={}", epoch(*given)),
        OperationResult::Registered { epoch: given, displaced: Some(former) } => {
            format!("registered epoch={}, displaced {}", epoch(*given), holder(former))
        }
        OperationResult::Done => "done".to_owned(),
        OperationResult::Refused(refused) => format!("refused: {}", rejection(refused)),
    }
}

fn rejection(rejection: &Rejection) -> String {
    match rejection {
        Rejection::AlreadyFounded(state) => format!("already founded as {}", state.0),
        Rejection::TooLarge { field, actual, limit } => format!("{field} too large, {actual} > {limit}"),
        Rejection::OutOfRange { field, actual, min, max } => format!("{field} is {actual}, not {min} to {max}"),
        Rejection::BadName { field } => format!("bad name in {field}"),
        Rejection::Repeated { field } => format!("{field} repeated"),
        Rejection::ForeignState { present } => format!("foreign state, present is {}", present.0),
        Rejection::IncarnationClosed(incarnation) => format!("i{} is not open", incarnation.0),
        Rejection::SequenceGap { expected } => format!("gap, expected #{expected}"),
        Rejection::ReplyForgotten { last } => format!("reply forgotten, last is #{last}"),
        Rejection::RequestIdReused => "request id reused".to_owned(),
        Rejection::StaleEpoch(None) => "stale epoch, nobody is there".to_owned(),
        Rejection::StaleEpoch(Some(present)) => format!("stale epoch, held by {}", holder(present)),
        Rejection::StaleConnSeq { given, present, holder: held } => {
            format!("stale conn_seq {given} < {present}, held by {}", holder(held))
        }
        Rejection::TooManySlots { limit } => format!("too many slots, {limit} may be"),
        Rejection::NotBound { topic } => format!("not bound to {}", text(topic)),
        Rejection::NotFound { what } => format!("no such {what}"),
        Rejection::RevisionMismatch { path, expected, present } => {
            format!("{path} is at r{}, not r{}", present.0, expected.0)
        }
        Rejection::RollingOut { path, rollout } => format!("{path} is in rollout {rollout}"),
        Rejection::RolloutIs { rollout, state, stage } => format!("rollout {rollout} is {state:?} at stage {stage}"),
        Rejection::Moved { what, present } => {
            format!("{} moved from r{} to r{}", config::witness(what), what.revision().0, present.0)
        }
        Rejection::Shortage(shortage) => {
            format!("short, node {} has {} of {}", shortage.node, shortage.free_bytes, shortage.needed_bytes)
        }
        Rejection::LevelTooLow { needed, present } => format!("comes with level {needed}, present is {present}"),
        Rejection::Quota { limit, present, max } => format!("quota {limit}, {present} of {max}"),
        Rejection::Full { what, limit } => format!("full, {limit} {what} may be"),
    }
}

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Instances => "instances".to_owned(),
        Event::IncarnationClosed(incarnation) => format!("i{} closed", incarnation.0),
        Event::Config { path } => format!("config {path}"),
        Event::Notice(incarnation) => format!("notice for i{}", incarnation.0),
        Event::Rollout(rollout) => format!("rollout {rollout}"),
        Event::Presence => "presence".to_owned(),
        Event::Kick => "kick".to_owned(),
        Event::Rebuild => "rebuild".to_owned(),
        Event::Control(incarnation) => format!("control for i{}", incarnation.0),
    }
}

pub(crate) fn session(view: &SessionView<'_>) -> String {
    let topics: Vec<_> = view.topics().map(text).collect();
    let topics = if topics.is_empty() { String::new() } else { format!(" topics={}", topics.join(",")) };
    let conn_seq = view.conn_seq().map_or_else(String::new, |number| format!(" seq={number}"));
    let flushed = view.flushed().map_or_else(String::new, |former| format!(" flushed={}", epoch(former)));
    let attributes = text(view.attributes());
    let attributes = if attributes.is_empty() { String::new() } else { format!(" attributes={attributes}") };
    format!("{} at {}{conn_seq}{flushed}{topics}{attributes}", name(view.user(), view.slot()), holder(&view.holder()))
}

pub(crate) fn instance(instance: &Instance, sessions: u64) -> String {
    let Instance { service, id, incarnation, opened, .. } = instance;
    format!("{service}/{id} i{} opened r{}, {sessions} sessions", incarnation.0, opened.0)
}

pub(crate) fn notice(notice: &Notice) -> String {
    let cause = match &notice.cause {
        NoticeCause::DisplacedBy(by) => format!("displaced by {}", holder(by)),
        NoticeCause::Kicked { reason, author } => format!("kicked by {author}: {reason}"),
    };
    let (ended, connection) = (epoch(notice.epoch), text(&notice.connection));
    format!("{} {} {connection} epoch={ended} {cause}", cursor(notice.cursor), key(&notice.key))
}

pub(crate) fn document(document: &Document) -> String {
    let what = if document.deleted { "deleted".to_owned() } else { text(&document.text) };
    let (revision, version) = (document.revision.0, document.version);
    let forced = document.forced.as_ref().map_or_else(String::new, |reason| format!(" (forced: {reason})"));
    format!("{} r{revision} v{version} by {}: {what}{forced}", document.path, document.author)
}
