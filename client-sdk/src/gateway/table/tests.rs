//! The table against a registry that is three lines of code: it answers what is formed.

use bytes::Bytes;
use keeper_proto::v1::session_operation::{Operation, Register};

use super::*;
use crate::{
    Epoch, Lost, Notice, NoticeCause, Registered, SessionKey,
    gateway::{
        entry::ChangeKind,
        lifetime::Former,
        news::Item,
        notices::{Compared, Comparison},
    },
    session::{NoticeFrame, window::Outcome},
};

type Answered = oneshot::Receiver<Result<(), Error>>;

fn table() -> Table {
    let mut table = Table::new(Name { service: "room".into(), id: "a".into() });
    open(&mut table, 1, 7);
    table
}

fn open(table: &mut Table, incarnation: u64, state_id: u64) {
    let announced = table.former();
    table.opened(Life { incarnation, state_id }, announced);
}

fn registration(user: &str, connection: &'static str) -> Registration {
    Registration::new(SessionKey::of_user(user.to_owned()).expect("a short name")).connection(connection)
}

fn admit(table: &mut Table, user: &str, connection: &'static str) -> (Slot, Answered) {
    let (connecting, connected) = oneshot::channel();
    (table.admit(registration(user, connection), connecting).expect("it is taken"), connected)
}

/// Everything that is due, formed.
fn due(table: &mut Table) -> Vec<(Slot, Operation)> {
    let slots: Vec<_> = std::iter::from_fn(|| table.next_due()).collect();
    slots.into_iter().filter_map(|slot| table.form(slot)).collect()
}

fn register(operation: &Operation) -> &Register {
    let Operation::Register(register) = operation else { panic!("not a registration: {operation:?}") };
    register
}

const fn epoch(revision: u64) -> Epoch {
    Epoch { revision, position: 1 }
}

fn stands(table: &mut Table, slot: Slot, revision: u64) {
    let registered = Registered { epoch: epoch(revision), displaced: None, revision };
    table.answered(slot, Ok(Outcome::Registered(registered)));
}

fn refused(reason: &str, holder: Option<Holder>) -> Error {
    let (reason, holder) = (reason.to_owned(), holder.map(Box::new));
    Error::Refused { reason, message: String::new(), field: String::new(), details: Vec::new(), holder }
}

fn life_over() -> Error {
    Error::Ended { what: "the instance", happened: Happened::Maybe }
}

fn elsewhere() -> Holder {
    Holder { service: "room".into(), instance: "b".into(), incarnation: 99, connection: "9".into(), epoch: epoch(900) }
}

fn kicked(user: &str, revision: u64, cursor: &'static str) -> NoticeFrame {
    let key = SessionKey::of_user(user.to_owned()).expect("a short name");
    let cause = NoticeCause::Kicked { reason: "spam".into(), author: "ops".into() };
    let notice = Notice::Ended { key, epoch: epoch(revision), connection: Bytes::new(), cause };
    NoticeFrame { reset: false, notices: vec![Ok(notice)], cursor: cursor.into() }
}

/// A connection that stands at a revision.
fn connected(table: &mut Table, user: &str, connection: &'static str, revision: u64) -> Slot {
    let (slot, mut answered) = admit(table, user, connection);
    let formed = due(table);
    assert_eq!(formed.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [slot]);
    stands(table, slot, revision);
    assert!(matches!(answered.try_recv(), Ok(Ok(()))));
    slot
}

fn causes(table: &mut Table) -> Vec<(Slot, &'static str)> {
    let ended: Vec<_> = table.ended.drain(..).collect();
    let cause = |slot| {
        let entry = table.slots.get_mut(slot)?;
        entry.is_untold = false;
        Some(match entry.take(|more| more.cause.take()).flatten()? {
            Cause::Displaced(_) => (slot, "displaced"),
            Cause::Kicked { .. } => (slot, "kicked"),
            Cause::Refused(_) => (slot, "refused"),
        })
    };
    ended.into_iter().filter_map(cause).collect()
}

#[test]
fn a_connection_is_registered_kept_and_given_up() {
    let mut table = table();
    let slot = connected(&mut table, "ann", "1", 10);
    assert_eq!(table.counts, Counts { wanted: 1, registered: 1, pending: 0 });
    assert!(due(&mut table).is_empty(), "nothing remains to be done");
    let (leaving, mut left) = oneshot::channel();
    table.release(slot, Phase::Left, Some(leaving));
    let formed = due(&mut table);
    let [(_, Operation::Unregister(unregister))] = &formed[..] else { panic!("{formed:?}") };
    assert_eq!((unregister.epoch.map(|it| it.revision), unregister.cause), (Some(10), 1));
    assert!(left.try_recv().is_err(), "not before the answer");
    table.answered(slot, Ok(Outcome::Done));
    assert!(left.try_recv().is_ok());
    assert!(table.slots.get(slot).is_none());
    assert_eq!(table.counts, Counts::default());
}

#[test]
fn what_registered_after_its_caller_gave_up_is_undone() {
    let mut table = table();
    let (slot, _) = admit(&mut table, "ann", "1");
    assert_eq!(due(&mut table).len(), 1);
    table.release(slot, Phase::Dropped, None);
    assert!(due(&mut table).is_empty(), "its answer says what there is to undo");
    stands(&mut table, slot, 10);
    let formed = due(&mut table);
    let [(_, Operation::Unregister(unregister))] = &formed[..] else { panic!("{formed:?}") };
    assert_eq!((unregister.epoch.map(|it| it.revision), unregister.cause), (Some(10), 2));
}

#[test]
fn what_nobody_wants_when_the_frame_is_formed_is_not_sent() {
    let mut table = table();
    let (slot, _) = admit(&mut table, "ann", "1");
    table.release(slot, Phase::Dropped, None);
    assert!(due(&mut table).is_empty());
    assert!(table.slots.get(slot).is_none(), "and leaves nothing behind");
}

#[test]
fn a_device_that_comes_back_displaces_its_old_connection_when_it_stands_and_not_before() {
    let mut table = table();
    let old = connected(&mut table, "ann", "1", 10);
    let (new, mut answered) = admit(&mut table, "ann", "2");
    assert_eq!(due(&mut table).len(), 1);
    assert!(causes(&mut table).is_empty(), "it may be refused");
    table.answered(new, Err(refused("quota", None)));
    assert_eq!(answered.try_recv().expect("told").expect_err("refused").reason(), "quota");
    table.release(new, Phase::Dropped, None);
    assert_eq!(table.counts, Counts { wanted: 1, registered: 1, pending: 0 }, "the old one stands");

    let newer = connected(&mut table, "ann", "3", 20);
    assert_eq!(causes(&mut table), [(old, "displaced")]);
    table.release(old, Phase::Dropped, None);
    assert!(due(&mut table).is_empty(), "there is nothing of it to give up");
    assert!(table.slots.get(newer).is_some() && table.slots.get(old).is_none());
}

#[test]
fn an_old_connection_takes_its_session_back_from_a_new_one_that_gave_up() {
    let mut table = table();
    let old = connected(&mut table, "ann", "1", 10);
    let (new, _) = admit(&mut table, "ann", "2");
    assert_eq!(due(&mut table).len(), 1);
    table.release(new, Phase::Dropped, None);
    stands(&mut table, new, 20);
    let formed = due(&mut table);
    assert_eq!(formed.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [old]);
    assert_eq!(register(&formed[0].1).flushed, None, "its own registration is replaced, not respected");
    stands(&mut table, old, 30);
    assert!(due(&mut table).is_empty() && causes(&mut table).is_empty());
    assert!(table.slots.get(new).is_none());
}

#[test]
fn a_lower_conn_seq_is_refused_here() {
    let mut table = table();
    let (connecting, _connected) = oneshot::channel();
    table.admit(registration("ann", "1").conn_seq(8), connecting).expect("the first");
    let (connecting, _connected) = oneshot::channel();
    let error = table.admit(registration("ann", "2").conn_seq(7), connecting).expect_err("an older one");
    assert_eq!(error.reason(), "stale-conn-seq");
}

#[test]
fn a_new_life_claims_what_stood_and_makes_what_is_new() {
    let mut table = table();
    let slot = connected(&mut table, "ann", "1", 10);
    table.lost(Lost::Silence);
    assert_eq!(table.counts, Counts { wanted: 1, registered: 0, pending: 1 });
    let (fresh, _answered) = admit(&mut table, "bob", "2");
    assert!(table.former().is_some_and(|former| former == Former { state_id: 7, sessions: 1 }));
    open(&mut table, 2, 7);
    assert!(table.is_catching_up());
    let formed = due(&mut table);
    let flushed: Vec<_> = formed.iter().map(|(slot, it)| (*slot, register(it).flushed.map(|it| it.revision))).collect();
    assert_eq!(flushed.len(), 2);
    assert!(flushed.contains(&(slot, Some(10))) && flushed.contains(&(fresh, None)), "{flushed:?}");
    stands(&mut table, slot, 20);
    assert!(!table.is_catching_up());
    let news: Vec<_> = std::iter::from_fn(|| table.news.take_opening().or_else(|| table.news.take_closing())).collect();
    assert!(matches!(news[..], [Item::Lost { .. }, Item::Opened { incarnation: 2 }, Item::Reregistered { .. }]));
}

#[test]
fn another_history_is_told_how_much_is_still_to_come() {
    let mut table = table();
    let slots: Vec<_> = ["a", "b"].into_iter().map(|user| connected(&mut table, user, "1", 10)).collect();
    table.lost(Lost::Rebuilt);
    open(&mut table, 1, 8);
    assert_eq!(table.margin().flush_remaining, Some(2));
    assert_eq!(due(&mut table).len(), 2);
    stands(&mut table, slots[0], 20);
    assert_eq!(table.margin().flush_remaining, Some(1));
    assert!(!table.has_margin());
    // Lost again in the middle: what is left stood in the first history still.
    table.answered(slots[1], Err(life_over()));
    table.lost(Lost::Ended);
    assert_eq!(table.former(), Some(Former { state_id: 7, sessions: 2 }));
    open(&mut table, 2, 8);
    assert_eq!(due(&mut table).len(), 2);
    stands(&mut table, slots[0], 30);
    table.release(slots[1], Phase::Dropped, None);
    assert!(table.has_margin(), "the end of it is worth a frame");
    assert_eq!(table.margin().flush_remaining, Some(0));
    assert_eq!(table.margin().flush_remaining, None);
    table.lost(Lost::Ended);
    assert_eq!(table.former(), Some(Former { state_id: 8, sessions: 1 }));
}

#[test]
fn a_claim_that_lost_to_a_live_registration_displaces_nobody_but_itself() {
    let mut table = table();
    let slot = connected(&mut table, "ann", "1", 10);
    table.lost(Lost::Silence);
    open(&mut table, 2, 7);
    assert_eq!(due(&mut table).len(), 1);
    table.answered(slot, Err(refused("stale-epoch", Some(elsewhere()))));
    assert_eq!(causes(&mut table), [(slot, "displaced")]);
    table.release(slot, Phase::Dropped, None);
    assert!(due(&mut table).is_empty());
}

#[test]
fn a_life_that_ends_leaves_what_was_under_way_to_the_next() {
    let mut table = table();
    let (slot, _answered) = admit(&mut table, "ann", "1");
    let leaving = connected_beside(&mut table);
    let (waiting, mut left) = oneshot::channel();
    table.release(leaving, Phase::Left, Some(waiting));
    let formed = due(&mut table);
    assert_eq!(formed.len(), 1, "{formed:?}");
    for slot in [slot, leaving] {
        table.answered(slot, Err(life_over()));
    }
    assert!(left.try_recv().is_err());
    table.lost(Lost::Ended);
    assert!(left.try_recv().is_ok(), "it went with the life");
    open(&mut table, 2, 7);
    let formed = due(&mut table);
    assert_eq!((formed.len(), formed[0].0, register(&formed[0].1).flushed), (1, slot, None));
    assert!(table.slots.get(leaving).is_none());
}

/// Another user, with the first one's registration under way.
fn connected_beside(table: &mut Table) -> Slot {
    let (slot, _) = admit(table, "bob", "2");
    assert_eq!(due(table).len(), 2);
    stands(table, slot, 10);
    slot
}

#[test]
fn a_kick_is_confirmed_when_the_connection_is_let_go_of() {
    let mut table = table();
    let slot = connected(&mut table, "ann", "1", 10);
    table.noticed(kicked("ann", 9, "stale"));
    assert_eq!(table.margin().confirmed, Some("stale".into()), "an old registration of the same user");
    table.noticed(kicked("ann", 10, "1"));
    assert_eq!(causes(&mut table), [(slot, "kicked")]);
    assert!(!table.has_margin(), "told is not closed");
    table.release(slot, Phase::Dropped, None);
    assert_eq!(table.margin().confirmed, Some("1".into()));
    assert!(table.slots.get(slot).is_none());
}

#[test]
fn a_kick_that_overtakes_the_answer_to_its_registration_is_not_lost() {
    let mut table = table();
    let (slot, _answered) = admit(&mut table, "ann", "1");
    assert_eq!(due(&mut table).len(), 1);
    table.noticed(kicked("ann", 10, "1"));
    assert!(!table.has_margin() && causes(&mut table).is_empty());
    stands(&mut table, slot, 10);
    assert_eq!(causes(&mut table), [(slot, "kicked")]);
    assert!(!table.has_margin());
    table.release(slot, Phase::Dropped, None);
    assert!(table.has_margin());

    let (slot, _answered) = admit(&mut table, "ann", "2");
    assert_eq!(due(&mut table).len(), 1);
    table.noticed(kicked("ann", 15, "2"));
    stands(&mut table, slot, 20);
    assert!(causes(&mut table).is_empty(), "the notice was about an earlier one");
}

#[test]
fn topics_are_changed_in_order_and_kept_for_the_next_life() {
    let mut table = table();
    let slot = connected(&mut table, "ann", "1", 10);
    let change = |table: &mut Table, kind, topic: &'static str| {
        let (answer, answered) = oneshot::channel();
        table.change_topics(slot, TopicChange { kind, topics: vec![topic.into()], answer });
        answered
    };
    let mut bound = change(&mut table, ChangeKind::Bind, "news");
    let mut unbound = change(&mut table, ChangeKind::Unbind, "chat");
    assert!(matches!(due(&mut table)[..], [(_, Operation::Bind(_))]), "one at a time");
    table.answered(slot, Ok(Outcome::Done));
    assert!(matches!(due(&mut table)[..], [(_, Operation::Unbind(_))]));
    table.answered(slot, Err(refused("not-bound", None)));
    assert!(matches!(bound.try_recv(), Ok(Ok(()))));
    assert!(matches!(unbound.try_recv(), Ok(Err(error)) if error.reason() == "not-bound"));
    table.lost(Lost::Ended);
    open(&mut table, 2, 7);
    assert_eq!(register(&due(&mut table)[0].1).topics, ["news"]);
}

#[test]
fn after_missed_notices_only_what_is_not_here_any_more_ends() {
    let mut table = table();
    let [same, moved, gone] = ["a", "b", "c"].map(|user| connected(&mut table, user, "1", 10));
    let (under_way, _answered) = admit(&mut table, "d", "1");
    assert_eq!(due(&mut table).len(), 1);
    let number = table.confirmations.begin("reset".into());
    let mut comparison = Comparison::default();
    let compared = table.to_compare(&mut comparison, 2);
    let rest = table.to_compare(&mut comparison, 2);
    assert_eq!((compared.len(), rest.len(), comparison.is_waiting()), (2, 1, true));
    let here = Holder { incarnation: 1, ..elsewhere() };
    let of = |slot| {
        let all: Vec<&Compared> = compared.iter().chain(&rest).filter(|it| it.slot == slot).collect();
        all[0].clone()
    };
    table.compared(&of(same), Some(here), number);
    table.compared(&of(moved), Some(elsewhere()), number);
    table.compared(&of(gone), None, number);
    assert_eq!(causes(&mut table), [(moved, "displaced"), (gone, "kicked")]);
    stands(&mut table, under_way, 20);
    let late = table.to_compare(&mut comparison, 2);
    assert_eq!(late.iter().map(|it| it.slot).collect::<Vec<_>>(), [under_way]);
    assert!(table.to_compare(&mut comparison, 2).is_empty() && !comparison.is_waiting());
    table.acted(number);
    assert!(!table.has_margin());
    table.release(moved, Phase::Dropped, None);
    table.release(gone, Phase::Dropped, None);
    assert_eq!(table.margin().confirmed, Some("reset".into()));
}
