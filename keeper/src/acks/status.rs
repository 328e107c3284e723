//! Who runs with what of a document, and waiting until enough of them run with it.

use std::collections::BTreeMap;
use std::time::Duration;

use keeper_registry::Revision;
use tokio::time::Instant;

use super::gone::Crowd;
use super::{Ack, Acks, Gone, Standing, Verdict};
use crate::clock;
use crate::limits::{STATUS_PACE, STATUS_WAITS_MAX};
use crate::metrics::Applied;
use crate::problem::Problem;

/// How soon somebody may try again for whom there was no room to wait.
const RETRY_AFTER_MS: u32 = 1_000;

/// The whole, in basis points.
const WHOLE_BPS: u64 = 10_000;

/// How the readers of a document stand to it.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Of the state it was compared with.
    pub revision: Revision,
    /// Since when this leader listens, in log time.
    pub listening_since_ms: u64,
    /// By verdict.
    pub count: Count,
    /// How many are at each revision; `Revision(0)`: nobody knows.
    pub revisions: BTreeMap<Revision, usize>,
    /// Those first that refuse, then those that have not said anything.
    pub standings: Vec<Standing>,
    /// Those that have gone while it was waited, without having said that they run with it.
    pub gone: Vec<Gone>,
    /// Readers that have applied what was waited for, or a later one.
    pub reached: usize,
}

/// How many instances stand how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// They cannot run with it.
    pub refused: usize,
    /// They have said nothing of it.
    pub waiting: usize,
    /// But for fields that only count after a restart.
    pub needs_restart: usize,
    /// They run with it.
    pub applied: usize,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// The share of readers that are to run with it, in basis points.
    pub share_bps: u32,
    /// With this revision, or a later one.
    pub revision: Revision,
    /// Until then at most.
    pub until: Instant,
}

impl Count {
    /// Of these.
    #[must_use]
    pub fn of(verdicts: impl IntoIterator<Item = Verdict>) -> Self {
        verdicts.into_iter().fold(Self::default(), |mut count, verdict| {
            match verdict {
                Verdict::Refused => count.refused += 1,
                Verdict::Waiting => count.waiting += 1,
                Verdict::NeedsRestart => count.needs_restart += 1,
                Verdict::Applied => count.applied += 1,
            }
            count
        })
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> usize {
        self.refused + self.waiting + self.needs_restart + self.applied
    }
}

impl Wait {
    /// Whether there is nothing more to wait for.
    pub(super) fn is_over(&self, status: &Status) -> bool {
        let Status { standings, gone, reached, .. } = status;
        let refuses =
            |it: &Standing| it.verdict == Verdict::Refused && it.said.as_ref().is_some_and(|ack| self.is_of_it(ack));
        let has_refused = gone.iter().any(|it| it.refusal.is_some());
        if has_refused || standings.iter().any(refuses) {
            return true;
        }
        let all = standings.len() + gone.iter().filter(|it| it.is_missing()).count();
        if all == 0 {
            // Where everybody has closed somebody may come yet; where nobody ever was, nobody is waited for.
            return gone.is_empty();
        }
        *reached as u64 * WHOLE_BPS >= all as u64 * u64::from(self.share_bps)
    }

    /// Whether a reader runs with what is waited for.
    pub(super) fn is_reached_by(&self, standing: &Standing) -> bool {
        standing.verdict == Verdict::Applied || standing.said.as_ref().is_some_and(|ack| self.is_applied(ack))
    }

    /// Whether it was said of what is waited for that it is run with. Where no revision is named that is what each is
    /// to run with, of which a word about another revision says nothing.
    pub(super) fn is_applied(&self, ack: &Ack) -> bool {
        let is_named = self.revision > Revision::default();
        is_named && ack.running >= self.revision && ack.applied == Applied::Yes
    }

    /// Whether what is waited for was refused.
    pub(super) fn is_refused(&self, ack: &Ack) -> bool {
        ack.applied == Applied::Refused && self.is_of_it(ack)
    }

    fn is_of_it(&self, ack: &Ack) -> bool {
        ack.revision >= self.revision
    }
}

impl Acks {
    /// How the readers of a document stand to it now.
    ///
    /// # Errors
    /// This node does not lead.
    pub fn status(&self, path: &str) -> Result<Status, Problem> {
        let (_, listening_since_ms) = self.office()?;
        let revision = self.replica.applied();
        let mut standings = self.standings(path, |_| true)?;
        let count = Count::of(standings.iter().map(|standing| standing.verdict));
        let mut revisions = BTreeMap::new();
        for standing in &standings {
            *revisions.entry(standing.running()).or_default() += 1;
        }
        standings.sort_by(|a, b| {
            let order = |it: &Standing| (it.verdict, it.wanted);
            order(a)
                .cmp(&order(b))
                .then_with(|| a.instance.service.cmp(&b.instance.service))
                .then_with(|| a.instance.id.cmp(&b.instance.id))
        });
        Ok(Status { revision, listening_since_ms, count, revisions, standings, gone: Vec::new(), reached: 0 })
    }

    /// The same, once there is nothing more to wait for, or it is too late.
    ///
    /// # Errors
    /// This node does not lead, or too many wait.
    pub async fn wait(&self, path: &str, wait: Wait) -> Result<Status, Problem> {
        let Ok(_place) = self.heard.waits.try_acquire() else {
            let limit = STATUS_WAITS_MAX as u64;
            return Err(Problem::Full { what: "waits for a status", limit, retry_after_ms: RETRY_AFTER_MS });
        };
        let (mut moved, mut leadership) = (self.moved(), self.leadership.clone());
        let (mut instances, mut configs) = (self.replica.signals().instances(), self.replica.signals().configs());
        let mut crowd = Crowd::default();
        loop {
            moved.mark_unchanged();
            instances.mark_unchanged();
            configs.mark_unchanged();
            leadership.mark_unchanged();
            let began_at = clock::now();
            let mut status = self.status(path)?;
            status.gone = self.in_office(|office| {
                let said = |incarnation| office.table.last_word(incarnation, path).cloned();
                self.replica.read(|state| crowd.follow(state, &status.standings, &wait, said))
            })?;
            status.reached = status.standings.iter().filter(|it| wait.is_reached_by(it)).count();
            if wait.is_over(&status) || began_at >= wait.until {
                return Ok(status);
            }
            tokio::select! {
                () = tokio::time::sleep_until(wait.until) => {}
                _ = moved.changed() => {}
                _ = instances.changed() => {}
                _ = configs.changed() => {}
                changed = leadership.changed() => changed.map_err(|_| Problem::Stopping)?,
            }
            // A thousand acknowledgements come within milliseconds: they are counted together.
            let cost = clock::now().duration_since(began_at).min(Duration::from_secs(1));
            let pause_until = began_at + STATUS_PACE.max(2 * cost.min(STATUS_PACE * 10));
            tokio::time::sleep_until(pause_until.min(wait.until)).await;
        }
    }
}
