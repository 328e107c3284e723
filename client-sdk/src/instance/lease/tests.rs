use super::*;

const TTL: Duration = Duration::from_secs(9);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn id(state_id: u64, incarnation: u64) -> LeaseId {
    LeaseId { state_id, incarnation }
}

fn held(leases: &mut Leases, now: Instant) -> watch::Receiver<Option<Lost>> {
    leases.hold(id(7, 1), TTL, now)
}

fn reply(request: &RenewRequest) -> RenewReply {
    RenewReply { sequence: request.sequence, renewed: request.incarnations.clone(), lost: Vec::new(), term: 1 }
}

#[test]
fn a_lease_lasts_a_ttl_from_the_sending_of_what_was_acknowledged() {
    let start = Instant::now();
    let mut leases = Leases::new();
    let lost = held(&mut leases, start);
    let sent_at = start + seconds(3);
    let requests = leases.requests(sent_at);
    assert_eq!((requests.len(), requests[0].incarnations.as_slice(), requests[0].state_id), (1, [1].as_slice(), 7));
    // The answer comes late; the lease counts from the sending.
    leases.answered(&reply(&requests[0]));
    leases.expire(sent_at + TTL - Duration::from_millis(1));
    assert_eq!(*lost.borrow(), None);
    leases.expire(sent_at + TTL);
    assert_eq!(*lost.borrow(), Some(Lost::Silence));
    assert_eq!(leases.take_released(), [id(7, 1)]);
}

#[test]
fn an_answer_on_a_stream_given_up_counts_for_nothing() {
    let start = Instant::now();
    let mut leases = Leases::new();
    let lost = held(&mut leases, start);
    let requests = leases.requests(start + seconds(3));
    leases.renew_all(start + seconds(4));
    leases.answered(&reply(&requests[0]));
    leases.expire(start + TTL);
    assert_eq!(*lost.borrow(), Some(Lost::Silence));
}

#[test]
fn renewals_are_due_every_third_of_a_ttl() {
    let start = Instant::now();
    let mut leases = Leases::new();
    let _lost = held(&mut leases, start);
    assert_eq!(leases.next(), Some(start + seconds(3)));
    assert!(leases.requests(start + seconds(2)).is_empty());
    assert_eq!(leases.requests(start + seconds(3)).len(), 1);
    assert!(leases.requests(start + seconds(5)).is_empty());
    assert_eq!(leases.waiting_since(), Some(start + seconds(3)));
    // Without a stream nothing is due before the lease ends.
    leases.defer(start + seconds(6));
    assert_eq!(leases.next(), Some(start + TTL));
}

#[test]
fn histories_of_the_state_are_renewed_apart_and_lost_in_turn() {
    let start = Instant::now();
    let mut leases = Leases::new();
    // Both count their incarnations from 1.
    let former = leases.hold(id(7, 1), TTL, start);
    let present = leases.hold(id(8, 1), TTL, start);
    let requests = leases.requests(start + seconds(3));
    assert_eq!(requests.len(), 2);
    leases.rebuilt();
    assert_eq!((*former.borrow(), *present.borrow()), (Some(Lost::Rebuilt), None), "the newest is believed");

    leases.renew_all(start + seconds(4));
    leases.requests(start + seconds(4));
    leases.rebuilt();
    assert_eq!(*present.borrow(), Some(Lost::Rebuilt), "it was asked for alone");
    assert!(leases.is_empty() && leases.take_released().is_empty());
}

#[test]
fn a_refusal_of_a_lease_that_was_let_go_of_ends_no_other() {
    let start = Instant::now();
    let mut leases = Leases::new();
    let _former = leases.hold(id(7, 1), TTL, start);
    leases.requests(start + seconds(3));
    leases.release(id(7, 1));
    let present = leases.hold(id(8, 1), TTL, start + seconds(3));
    leases.rebuilt();
    assert_eq!(*present.borrow(), None);
}
