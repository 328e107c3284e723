//! What the double remembers, what it wrote down, and what it was told to do wrong.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use keeper_proto::v1::{
    AcknowledgeRequest, AnnounceRequest, ConfigStatusRequest, Document, FollowRequest, KickRequest, Notice,
    OpenInstanceRequest, OperationResult, PresenceFact, PresenceRequest, Problem, Rollout, ScanRequest, WriteFrame,
    backup_reply, controls_addressed::Control, lookup_reply,
};
use parking_lot::Mutex;
use tokio::{sync::watch, time};

use super::{STATE_ID, registry::Sessions};

/// What goes wrong with the next write frame.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The stream breaks before the frame is taken.
    BreakBefore,
    /// The stream breaks after the frame is taken, before its answer.
    BreakAfter,
    /// The frame is answered with this and not taken.
    Answer(Problem),
    /// Nothing comes, ever.
    Silence,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) leader: Option<usize>,
    pub(crate) revision: u64,
    pub(crate) state_id: u64,
    /// Of the next write frames, one each.
    pub(crate) faults: VecDeque<Fault>,
    /// Every write frame that arrived, taken or not.
    pub(crate) arrived: Vec<WriteFrame>,
    /// The users registered by frames that were taken, in order.
    pub(crate) registered: Vec<Vec<u8>>,
    /// By incarnation: the last number taken, and all answers.
    pub(crate) frames: BTreeMap<u64, (u64, BTreeMap<u64, Answer>)>,
    pub(crate) sessions: Sessions,
    /// Users that were given up, and why.
    pub(crate) ended: Vec<(String, i32)>,
    /// Users that are refused, and why.
    pub(crate) refuse: BTreeMap<String, &'static str>,
    /// All notices, with the incarnations they are for; so many of them are forgotten.
    pub(crate) notices: Vec<(u64, Notice)>,
    pub(crate) notices_floor: usize,
    /// Actions nobody has answered.
    pub(crate) controls: Vec<Control>,
    pub(crate) opened: Vec<u64>,
    /// Who holds which name.
    pub(crate) names: BTreeMap<(String, String), u64>,
    pub(crate) opens: Vec<OpenInstanceRequest>,
    /// The next lease is opened, and the answer is lost.
    pub(crate) lose_open: Option<()>,
    pub(crate) requests: BTreeMap<Vec<u8>, u64>,
    /// What whoever asks for a backup is sent.
    pub(crate) backup: Vec<backup_reply::Part>,
    pub(crate) closed: Vec<u64>,
    pub(crate) renewals: Renewals,
    pub(crate) renewed: Vec<u64>,
    pub(crate) documents: BTreeMap<String, Document>,
    /// Selectors and cursors of the watches that were opened.
    pub(crate) watches: Vec<(Vec<String>, u64)>,
    /// What was asked of who runs with what.
    pub(crate) statuses: Vec<ConfigStatusRequest>,
    /// Every reader runs with what it is to run with.
    pub(crate) is_converged: bool,
    /// Streams of effective documents that were opened.
    pub(crate) follows: Vec<FollowRequest>,
    /// By incarnation and path: what it has in the place of what is published, and since when.
    pub(crate) candidates: BTreeMap<(u64, String), (u64, String)>,
    pub(crate) announced: Vec<AnnounceRequest>,
    pub(crate) announcing: Announcing,
    pub(crate) schemas: Vec<Bytes>,
    pub(crate) acknowledged: Vec<AcknowledgeRequest>,
    /// The next acknowledgement is heard, and the answer is lost.
    pub(crate) lose_acknowledgement: Option<()>,
    /// Of the leader.
    pub(crate) term: u64,
    pub(crate) rollout: Option<Rollout>,
    /// Steps of it that were taken, and those that were refused because nobody led.
    pub(crate) steps: usize,
    pub(crate) steps_refused: usize,
    /// The next step is taken, and its answer is lost.
    pub(crate) lose_step: Option<()>,
    pub(crate) lookup_frames: Vec<usize>,
    pub(crate) publishes: BTreeMap<Vec<u8>, u64>,
    /// The next publish is done, and its answer is lost.
    pub(crate) lose_publish: Option<()>,
    /// Live users by name, with the revisions they were registered at.
    pub(crate) users: BTreeMap<String, u64>,
    /// Walks that were opened, by node.
    pub(crate) walks: Vec<(usize, ScanRequest)>,
    /// So many pages, none of them a walk's first, break their stream instead.
    pub(crate) break_walks: usize,
    /// So many walks lose their place to another while their reader takes nothing.
    pub(crate) idle_walks: usize,
    /// There is no place for a walk.
    pub(crate) walks_full: bool,
    /// Whoever loses its place by a broken stream finds none afterwards.
    pub(crate) broken_walks_fill: bool,
    /// How many walks found none.
    pub(crate) walks_refused: usize,
    pub(crate) facts: Vec<PresenceFact>,
    /// How many facts a node has forgotten.
    pub(crate) floors: BTreeMap<usize, u64>,
    /// Nodes that keep their presence streams and say nothing on them.
    pub(crate) mute: Vec<usize>,
    /// Presence streams that were opened, by node.
    pub(crate) subscriptions: Vec<(usize, PresenceRequest)>,
    /// Kicks by selector, with the looks still to be taken before they are finished.
    pub(crate) kicks: BTreeMap<u64, (KickRequest, u32)>,
    /// Lookups answer that the registry is filled again.
    pub(crate) rebuilding: Option<lookup_reply::Rebuilding>,
}

/// What happens to announcements.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announcing {
    #[default]
    Answered,
    Refused,
    /// Nobody does anything about them.
    Silent,
}

/// What happens to renewals.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewals {
    #[default]
    Acknowledged,
    Lost,
    Silent,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) revision: u64,
    pub(crate) results: Vec<OperationResult>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) endpoints: Vec<String>,
    book: Mutex<Book>,
    /// Counts changes of the book.
    changes: watch::Sender<u64>,
    /// Counts the times all streams were broken.
    pub(crate) breaks: watch::Sender<u64>,
}

impl State {
    pub(crate) fn new(endpoints: Vec<String>) -> Self {
        let book = Book { leader: Some(0), revision: 100, state_id: STATE_ID, term: 1, ..Book::default() };
        Self { endpoints, book: Mutex::new(book), changes: watch::Sender::new(0), breaks: watch::Sender::new(0) }
    }

    pub(crate) fn leader(&self) -> Option<usize> {
        self.book.lock().leader
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.book.lock())
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        let answer = change(&mut self.book.lock());
        self.changes.send_modify(|count| *count += 1);
        answer
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn break_streams(&self) {
        self.breaks.send_modify(|count| *count += 1);
    }

    /// Waits until the book is as the test wants it.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Book) -> bool) -> anyhow::Result<()> {
        let mut changes = self.changes();
        let wait = async {
            while !self.read(&holds) {
                changes.changed().await?;
            }
            anyhow::Ok(())
        };
        match time::timeout(Duration::from_secs(20), wait).await {
            Ok(done) => done,
            Err(_) => anyhow::bail!("still not so after 20 s: {what}"),
        }
    }
}
