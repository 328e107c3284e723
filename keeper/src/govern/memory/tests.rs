//! Who waits, who is refused, and who has to go.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn memory() -> Arc<Memory> {
    Memory::new(
        MemoryLimits { bytes_max: 100, share_bytes_max: 60, answer_bytes_max: 10 },
        Level::default(),
        Counter::default(),
    )
}

fn waits(share: &Share, need: Need) -> (bool, Arc<Woken>) {
    let woken = Arc::new(Woken::default());
    let waker = Arc::clone(&woken).into();
    let pending = share.poll_room(need, &Context::from_waker(&waker)).is_pending();
    (pending, woken)
}

#[tokio::test(start_paused = true)]
async fn a_share_is_full_for_its_connection_alone() {
    let memory = memory();
    let [one, other] = [(); 2].map(|()| memory.share(CancellationToken::new()));
    let held = one.take(60, Need::Ordinary).expect("there is room");
    let full = one.take(1, Need::Essential).expect_err("the share is full");
    assert!(full.to_string().contains("limits.connection_bytes_max"), "{full}");
    other.admit(Need::Ordinary).expect("there is room for an answer");
    one.admit(Need::Ordinary).expect_err("there is none");
    let (waiting, woken) = waits(&one, Need::Essential);
    assert!(waiting && !waits(&other, Need::Ordinary).0);
    drop(other.take(40, Need::Ordinary).expect("there is room for others"));
    assert_eq!(woken.times(), 0, "what others let go is not its own");
    drop(held);
    assert_eq!((woken.times(), memory.bytes()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_node_refuses_what_can_be_asked_again_and_wakes_one_after_the_other() {
    let memory = memory();
    let shares = [(); 4].map(|()| memory.share(CancellationToken::new()));
    let [first, second, third, fourth] = &shares;
    let held = [first.take(50, Need::Ordinary), second.take(50, Need::Ordinary)].map(|it| it.expect("room"));
    let full = third.take(1, Need::Ordinary).expect_err("the node is full");
    assert!(full.to_string().contains("limits.client_bytes_max"), "{full}");
    drop(third.take(1, Need::Essential).expect("a lease is renewed all the same"));
    assert!(!waits(third, Need::Essential).0);
    let (of_third, of_fourth) = (waits(third, Need::Ordinary), waits(fourth, Need::Ordinary));
    assert!(of_third.0 && of_fourth.0);
    drop(held);
    assert_eq!((of_third.1.times(), of_fourth.1.times()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_woken_passes_the_word_on() {
    let memory = memory();
    let shares = [(); 4].map(|()| memory.share(CancellationToken::new()));
    let [first, second, third, fourth] = &shares;
    let held = first.hold(55);
    let _stays = second.hold(45);
    let (of_third, of_fourth) = (waits(third, Need::Ordinary), waits(fourth, Need::Ordinary));
    drop(held);
    assert_eq!((of_third.1.times(), of_fourth.1.times()), (1, 0), "one at a time, in their order");
    assert!(!waits(third, Need::Ordinary).0, "there is room");
    assert_eq!(of_fourth.1.times(), 1, "and enough for another");
}

#[tokio::test(start_paused = true)]
async fn a_message_fits_an_empty_share_and_is_counted_as_it_grows() {
    let memory = memory();
    let share = memory.share(CancellationToken::new());
    let mut held = share.take(90, Need::Ordinary).expect("whatever its size");
    held.resize(95);
    assert_eq!(memory.bytes(), 95);
    held.resize(5);
    assert_eq!(memory.bytes(), 5);
    drop(held);
    assert_eq!(memory.bytes(), 0);
    drop(share);
    assert!(memory.shares.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_is_cut_off_when_the_node_is_full_and_only_then() {
    let memory = memory();
    let cuts = [(); 3].map(|()| CancellationToken::new());
    let [large, small, moving] = cuts.each_ref().map(|cut| memory.share(cut.clone()));
    let _large = large.hold(50);
    let (_small, mut moves) = (small.hold(20), moving.hold(10));
    tokio::time::advance(STALLED_MAX * 2).await;
    memory.relieve();
    assert!(!cuts.iter().any(CancellationToken::is_cancelled), "there is room");
    moves.resize(30);
    moves.resize(25);
    memory.relieve();
    assert_eq!(cuts.each_ref().map(CancellationToken::is_cancelled), [true, false, false], "the largest is enough");
}

#[tokio::test(start_paused = true)]
async fn of_clients_that_hold_as_much_the_oldest_are_cut_off() {
    let memory = memory();
    let cuts: Vec<_> = (0..10).map(|_| CancellationToken::new()).collect();
    let shares: Vec<_> = cuts.iter().map(|cut| memory.share(cut.clone())).collect();
    let _held: Vec<_> = shares.iter().rev().map(|share| share.hold(10)).collect();
    tokio::time::advance(STALLED_MAX * 2).await;
    memory.relieve();
    let cut: Vec<_> = (0..10).filter(|at| cuts[*at].is_cancelled()).collect();
    assert_eq!(cut, [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_a_little_may_not_keep_the_node_full_for_ever() {
    let memory = memory();
    let cuts = [(); 2].map(|()| CancellationToken::new());
    let [large, small] = cuts.each_ref().map(|cut| memory.share(cut.clone()));
    let (mut dripping, mut other) = (large.hold(55), small.hold(45));
    let mut waited = std::time::Duration::ZERO;
    memory.relieve();
    while waited < MEMORY_FULL_MAX {
        assert!(!cuts[0].is_cancelled(), "after {waited:?}");
        tokio::time::advance(STALLED_MAX / 2).await;
        waited += STALLED_MAX / 2;
        for held in [&mut dripping, &mut other] {
            held.resize(held.bytes - 1);
            held.resize(held.bytes + 1);
        }
        memory.relieve();
    }
    assert_eq!(cuts.each_ref().map(CancellationToken::is_cancelled), [true, false]);
}
