//! Whoever reads, in whatever turns, is told every fact once and in order; subscribers who stand together share.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use keeper_registry::{
    Command, Epoch, Frame, Incarnation, LogTime, OpenInstance, PresenceCursor, PresenceSlice, Register, Revision,
    SessionKey, SessionOperation, StateId,
};
use proptest::prelude::*;

use super::{Feed, Framed, Framing, Next};
use crate::batch::Batch;
use crate::replica::Replica;

const STATE: StateId = StateId(7);
/// Facts of a frame here: several frames for each entry.
const FACTS: usize = 3;

/// Lists what it is given, as far as it is asked for.
#[derive(Debug)]
struct Listing {
    made: AtomicUsize,
    is_asked_for: fn(PresenceCursor) -> bool,
}

impl Framing for Listing {
    type Frame = Vec<PresenceCursor>;

    fn frame(&self, _: StateId, slice: &PresenceSlice, bound: Option<PresenceCursor>) -> Framed<Self::Frame> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let facts: Vec<_> = slice.iter().map(|fact| fact.cursor).collect();
        let within = |(place, cursor): &(usize, &PresenceCursor)| {
            *place == 0 || *place < FACTS && bound.is_none_or(|bound| **cursor <= bound)
        };
        let taken: Vec<_> = facts.iter().enumerate().take_while(within).map(|(_, cursor)| *cursor).collect();
        let until = *taken.last().expect("it was given at least one");
        let told: Vec<_> = taken.into_iter().filter(|cursor| (self.is_asked_for)(*cursor)).collect();
        Framed { until, frame: (!told.is_empty()).then_some(told) }
    }
}

fn feed(is_asked_for: fn(PresenceCursor) -> bool) -> Feed<Listing> {
    Feed::new(Listing { made: AtomicUsize::new(0), is_asked_for })
}

/// A state with one gateway, which makes one fact for each session it registers.
struct Cluster {
    replica: Replica,
    revision: u64,
    frames: u64,
    /// Every fact so far.
    facts: Vec<PresenceCursor>,
}

impl Cluster {
    fn new() -> Self {
        let mut cluster = Self { replica: Replica::default(), revision: 0, frames: 0, facts: Vec::new() };
        let open = OpenInstance {
            service: "gateway".to_owned(),
            id: "a".to_owned(),
            endpoints: Vec::new(),
            zone: String::new(),
            weight: 1,
            labels: Vec::new(),
            version: String::new(),
            ttl_ms: 10_000,
            former_state: None,
            flush_total: 0,
            request: None,
        };
        cluster.apply(vec![Command::Found(STATE), Command::OpenInstance(open)]);
        cluster
    }

    fn apply(&mut self, commands: Vec<Command>) {
        self.revision += 1;
        let batch = Batch::new(LogTime(self.revision), commands);
        self.replica.apply(self.revision, &batch).expect("what was encoded decodes");
    }

    fn register(&mut self, count: u32) {
        self.frames += 1;
        let operations = (0..count).map(|number| {
            SessionOperation::Register(Register {
                key: SessionKey { user: Bytes::from(format!("{}-{number}", self.frames)), slot: Bytes::new() },
                connection: Bytes::new(),
                conn_seq: None,
                topics: Vec::new(),
                attributes: Bytes::new(),
                flushed: None::<Epoch>,
            })
        });
        let frame = Frame {
            incarnation: Incarnation(1),
            sequence: self.frames,
            state: STATE,
            operations: operations.collect(),
            confirmed: None,
            flush_remaining: None,
        };
        self.apply(vec![Command::Frame(frame)]);
        let told = self.facts.last().copied().unwrap_or_default();
        let new =
            self.replica.read(|state| state.presence().read_after(told, usize::MAX)).expect("nothing is forgotten");
        self.facts.extend(new.iter().map(|fact| fact.cursor));
    }
}

/// Reads once, and says whether there was anything.
fn read(
    feed: &Feed<Listing>,
    cluster: &Cluster,
    cursor: &mut PresenceCursor,
    told: &mut Vec<PresenceCursor>,
    sharing: usize,
) -> bool {
    match feed.next(&cluster.replica, STATE, *cursor, sharing) {
        Next::Frame(framed, _) => {
            assert!(framed.until > *cursor, "every frame moves on");
            *cursor = framed.until;
            told.extend(framed.frame.into_iter().flatten());
            true
        }
        Next::Nothing => false,
        Next::Gone(..) => panic!("nothing is forgotten here"),
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Register(u32),
    Subscribe,
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1..12_u32).prop_map(Step::Register),
        1 => Just(Step::Subscribe),
        6 => (0..8_usize).prop_map(Step::Read),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn everybody_is_told_every_fact_once_and_in_order(steps in steps(), sharing in 1..20_usize, odd in any::<bool>()) {
        let feed = feed(if odd { |cursor| cursor.position % 2 == 1 } else { |_| true });
        let mut cluster = Cluster::new();
        // Where each began, where it is, what it was told.
        let mut subscribers = vec![(0, PresenceCursor::default(), Vec::new())];
        for step in steps {
            match step {
                Step::Register(count) => cluster.register(count),
                Step::Subscribe => {
                    // At any fact, as with a token.
                    let began = cluster.facts.len() / (subscribers.len() + 1);
                    let cursor = began.checked_sub(1).map_or_else(PresenceCursor::default, |last| cluster.facts[last]);
                    subscribers.push((began, cursor, Vec::new()));
                }
                Step::Read(who) => {
                    let count = subscribers.len();
                    let (_, cursor, told) = &mut subscribers[who % count];
                    read(&feed, &cluster, cursor, told, sharing);
                }
            }
        }
        for (began, mut cursor, mut told) in subscribers {
            while read(&feed, &cluster, &mut cursor, &mut told, sharing) {}
            let expected = cluster.facts[began..].iter().filter(|cursor| (feed.framing().is_asked_for)(**cursor));
            prop_assert_eq!(told, expected.copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn subscribers_who_stand_together_share_what_was_made_once() {
    const SUBSCRIBERS: usize = 10;
    let feed = feed(|_| true);
    let mut cluster = Cluster::new();
    let mut cursors = [PresenceCursor::default(); SUBSCRIBERS];
    for _ in 0..20 {
        cluster.register(2);
        for cursor in &mut cursors {
            assert!(read(&feed, &cluster, cursor, &mut Vec::new(), SUBSCRIBERS));
        }
    }
    assert_eq!(feed.framing().made.load(Ordering::Relaxed), 20);
    assert!(feed.kept.lock().frames.len() <= SUBSCRIBERS, "no more than one for each of them");
}

#[test]
fn one_who_comes_from_behind_lands_on_a_seam() {
    let feed = feed(|_| true);
    let mut cluster = Cluster::new();
    cluster.register(4);
    let (mut ahead, mut told) = (cluster.facts[0], Vec::new());
    while read(&feed, &cluster, &mut ahead, &mut told, 2) {}
    let made = feed.framing().made.load(Ordering::Relaxed);
    let mut behind = PresenceCursor::default();
    while read(&feed, &cluster, &mut behind, &mut told, 2) {}
    assert_eq!(
        feed.framing().made.load(Ordering::Relaxed),
        made + 1,
        "one frame up to the seam, and then the kept one"
    );
}

#[test]
fn who_is_alone_keeps_nothing_and_another_history_is_gone() {
    let feed = feed(|_| true);
    let mut cluster = Cluster::new();
    cluster.register(9);
    let mut cursor = PresenceCursor::default();
    while read(&feed, &cluster, &mut cursor, &mut Vec::new(), 1) {}
    assert!(feed.kept.lock().frames.is_empty());
    let latest = *cluster.facts.last().expect("there are facts");
    let other = feed.next(&cluster.replica, StateId(8), cursor, 1);
    assert!(matches!(other, Next::Gone(STATE, cursor) if cursor == latest), "{other:?}");
    assert_eq!(Revision(2), latest.revision);
}
