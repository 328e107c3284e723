//! Who came online, who left, who moved.
//!
//! A subscriber is a cursor over this node's ring of facts. Pointers are read under the state's lock; facts are
//! filtered and written outside of it, in frames of bounded size that subscribers with the same filter share (see
//! [`Feed`]). There is no queue a subscriber: one that is slow reads a longer difference later, up to what the ring
//! keeps, and slows nobody. An entry wakes whoever waits, once; whoever has just been told waits for the next tick of a
//! pace that all share, so that a thousand small entries are few frames.
//!
//! After a while without a word (`silence`) a subscriber is told its token again, if this node can show that it is up
//! to date. A node that is cut off stays silent, and its subscribers know to go elsewhere.

use std::sync::Arc;
use std::time::Duration;

use keeper_registry::{PresenceCursor, Revision, StateId, planted};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock;
use crate::limits::PRESENCE_PACE;
use crate::metrics::Kind;
use crate::problem::Problem;
use crate::replica::Replica;
use crate::watch::feed::{Feed, Framing, Next, Reach};
use crate::watch::{Rested, Watches, Watching};

/// A place in a history: everything before it has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceToken {
    /// Which history.
    pub state: StateId,
    /// Where in it.
    pub cursor: PresenceCursor,
}

/// What a subscriber is told.
#[derive(Debug)]
pub enum Told<F> {
    /// Facts.
    Facts(F),
    /// Nothing new up to this token, and no fact is still to come of a revision before this one.
    Nothing(PresenceToken, Revision),
    /// Facts before this token are gone: scan, then go on from it.
    Reset(PresenceToken),
}

/// Ticks that all subscribers share, so that they ask for the same frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    began_at: Instant,
}

/// One subscriber.
#[derive(Debug)]
pub struct PresenceWatch {
    watching: Watching,
    pace: Pace,
    signal: watch::Receiver<Revision>,
    at: PresenceToken,
    /// What it is told first.
    first: Option<First>,
    /// When it last had everything there was.
    newest_at: Option<Instant>,
    /// After how long without a word it is told that there is nothing new.
    silence: Duration,
}

#[derive(Debug, Clone, Copy)]
enum First {
    Token(Revision),
    Reset,
}

/// What the ring of this node reaches over.
#[derive(Debug, Clone, Copy)]
struct Extent {
    newest: PresenceToken,
    floor: PresenceCursor,
    /// Of the state.
    revision: Revision,
}

impl Watches {
    /// Watches presence from a token on, or from now. After `silence` without a fact there is a word all the same.
    ///
    /// # Errors
    /// The token lies in the future, or this node cannot find out.
    pub async fn presence(&self, token: Option<PresenceToken>, silence: Duration) -> Result<PresenceWatch, Problem> {
        // Subscribed before the first read, so that nothing falls between the two.
        let signal = self.replica.signals().presence();
        let watching = self.watching(Kind::Presence)?;
        let watch =
            |at, first| PresenceWatch { watching, pace: self.pace, signal, at, first, newest_at: None, silence };
        let token = token.filter(|_| !planted!("presence-skip"));
        if let Some(token) = token
            && token.state != StateId::default()
            && Extent::of(&self.replica).covers(token)
        {
            return Ok(watch(token, None));
        }
        // From here on this node has everything that could have been told anywhere before.
        self.raft.read_index().await?;
        let extent = Extent::of(&self.replica);
        if extent.newest.state == StateId::default() {
            // A place in a history that has not begun would be reset as soon as it has.
            return Err(Problem::Unconfirmed { reason: "this node's state has not been founded yet" });
        }
        match token {
            None => Ok(watch(extent.newest, Some(First::Token(extent.settled())))),
            Some(token) if extent.covers(token) => Ok(watch(token, None)),
            Some(token) if extent.is_behind(token) => Err(future(token, extent.newest)),
            Some(_) => Ok(watch(extent.newest, Some(First::Reset))),
        }
    }
}

impl PresenceWatch {
    /// Waits for what comes next; none when this node stops.
    pub async fn next<W: Framing>(&mut self, feed: &Arc<Feed<W>>) -> Option<Told<W::Frame>> {
        let told = match self.first.take() {
            Some(First::Token(settled)) => Told::Nothing(self.at, settled),
            Some(First::Reset) => self.reset(self.at),
            None => self.wait(feed).await?,
        };
        self.watching.told();
        Some(told)
    }

    async fn wait<W: Framing>(&mut self, feed: &Arc<Feed<W>>) -> Option<Told<W::Frame>> {
        loop {
            if let Some(told) = self.speak().await? {
                return Some(told);
            }
            self.keep_pace().await?;
            self.signal.mark_unchanged();
            match feed.next(&self.watching.replica, self.at.state, self.at.cursor, Arc::strong_count(feed)) {
                Next::Frame(framed, reach) => {
                    self.at.cursor = framed.until;
                    self.newest_at = (reach == Reach::Newest).then(clock::now);
                    if let Some(frame) = framed.frame {
                        return Some(Told::Facts(frame));
                    }
                    // A filter that few facts match must not keep the thread from others.
                    tokio::task::yield_now().await;
                }
                Next::Gone(state, cursor) => return Some(self.reset(PresenceToken { state, cursor })),
                Next::Nothing => {
                    self.newest_at = Some(clock::now());
                    if let Some(told) = self.rest().await? {
                        return Some(told);
                    }
                }
            }
        }
    }

    /// Whoever had everything a moment ago waits for the tick that all share; the first fact after a rest is told at
    /// once.
    async fn keep_pace(&self) -> Option<()> {
        let now = clock::now();
        match self.newest_at {
            Some(at) if now < at + PRESENCE_PACE => {
                self.unless_stopped(tokio::time::sleep_until(self.pace.tick_after(now))).await
            }
            Some(_) | None => Some(()),
        }
    }

    /// Waits for the next facts, or until their absence is worth a word.
    async fn rest<F>(&mut self) -> Option<Option<Told<F>>> {
        let moved = async { self.signal.changed().await.ok() };
        let rested = self.watching.rest(moved, self.silence).await?;
        Some((rested == Rested::Quiet).then(|| self.quiet()))
    }

    /// Facts that this subscriber did not ask for are no word to it.
    async fn speak<F>(&mut self) -> Option<Option<Told<F>>> {
        if clock::now() < self.watching.told_at + self.silence {
            return Some(None);
        }
        Some(self.watching.is_up_to_date().await?.then(|| self.quiet()))
    }

    fn quiet<F>(&self) -> Told<F> {
        let extent = Extent::of(&self.watching.replica);
        let is_settled = extent.newest == self.at;
        Told::Nothing(self.at, if is_settled { extent.settled() } else { self.at.cursor.revision })
    }

    async fn unless_stopped(&self, wait: impl Future<Output = ()>) -> Option<()> {
        tokio::select! {
            () = self.watching.stop.cancelled() => None,
            () = wait => Some(()),
        }
    }

    fn reset<F>(&mut self, at: PresenceToken) -> Told<F> {
        self.watching.metrics.watch_resets.of(Kind::Presence).inc();
        self.at = at;
        Told::Reset(at)
    }
}

impl Extent {
    fn of(replica: &Replica) -> Self {
        replica.read(|state| {
            let ring = state.presence();
            let newest = PresenceToken { state: state.state_id().unwrap_or_default(), cursor: ring.latest() };
            Self { newest, floor: ring.floor(), revision: state.revision() }
        })
    }

    fn covers(self, token: PresenceToken) -> bool {
        self.newest.state == token.state && (self.floor..=self.newest.cursor).contains(&token.cursor)
    }

    fn is_behind(self, token: PresenceToken) -> bool {
        self.newest.state == token.state && self.newest.cursor < token.cursor
    }

    /// No fact is still to come of a revision before this one, for whoever was told the newest.
    const fn settled(self) -> Revision {
        Revision(self.revision.0 + 1)
    }
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { began_at: clock::now() }
    }

    fn tick_after(self, now: Instant) -> Instant {
        let passed = now.duration_since(self.began_at).as_micros() / PRESENCE_PACE.as_micros();
        self.began_at + PRESENCE_PACE * u32::try_from(passed + 1).unwrap_or(u32::MAX)
    }
}

fn future(token: PresenceToken, newest: PresenceToken) -> Problem {
    let place = |cursor: PresenceCursor| format!("{}.{}", cursor.revision.0, cursor.position);
    let (given, newest) = (place(token.cursor), place(newest.cursor));
    let message = format!(
        "`token` stands at {given}, and the newest fact of the cluster is {newest}: subscribe without one, then scan"
    );
    Problem::Invalid { field: "token".to_owned(), message }
}
