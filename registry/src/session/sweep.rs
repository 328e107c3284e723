//! Sweeps: telling what is due, and removing sessions that will not come back.
//!
//! A sweep is proposed when [`State::next_sweep`] has passed, in an idle cluster too. It goes over a bounded number of
//! rows and leaves the rest to the next one: first what a rebuild left unconfirmed, then sessions that linger, then
//! those of closed incarnations. Past versions of documents go with it, by their policy.
//!
//! A pass tells the subscribers that wait for one grace; the pass of a session's longest grace tells everybody else and
//! removes it.
//!
//! A sweep and a register of the same session never both tell: the one that comes second finds the row gone, or taken
//! by the new registration, which is in nobody's pass.

use std::sync::Arc;

use super::{
    OwnerId, RowId,
    absence::reason_of,
    tell::{Names, Scope, Subject, Teller},
};
use crate::{ClosingCause, Event, Graces, LogTime, OfflineReason, PresenceWhat, Reply, State, TopicNames, limits};

/// Some rows of one pass.
#[derive(Debug)]
struct Batch {
    rows: Vec<RowId>,
    reason: OfflineReason<'static>,
    whose: Whose,
    /// The pass is over: of this closed owner, the next one begins.
    ended: Option<OwnerId>,
}

/// Who is told.
#[derive(Debug)]
enum Whose {
    /// Those who wait for one grace.
    Grace {
        graces: Arc<Graces>,
        grace_ms: u32,
    },
    /// All who were not told yet, which are those who wait for the longest grace.
    Rest {
        graces: Arc<Graces>,
        grace_ms: u32,
    },
    Everybody,
}

impl State {
    pub(crate) fn sweep(&mut self, events: &mut Vec<Event>) -> Reply {
        self.settle_rebuild(events);
        self.configs.retain(self.clock.time);
        let (mut rows, mut work) = (0, 0);
        while work < limits::SWEEP_SLICE as usize {
            let Some(batch) = self.batch(limits::SWEEP_SLICE as usize - work) else { break };
            rows += batch.rows.len();
            work += batch.rows.len().max(1);
            self.sweep_batch(&batch);
        }
        Reply::Swept { rows: rows as u32, more: self.next_sweep().is_some_and(|due| due <= self.clock.time) }
    }

    /// When the next sweep has something to do; `None`: never, as things are.
    #[must_use]
    pub fn next_sweep(&self) -> Option<LogTime> {
        let unconfirmed = self.instances.first_unconfirmed().filter(|_| !self.is_rebuilding()).map(|_| self.clock.time);
        let closed = self.instances.first_due().map(|(due, _)| due);
        let lingering = self.sessions.lingering.due(&self.sessions.rows);
        let past = self.configs.next_retention();
        [unconfirmed, closed, lingering, past, self.rebuild_due()].into_iter().flatten().min()
    }

    /// The first rows that are due.
    fn batch(&mut self, max: usize) -> Option<Batch> {
        if !self.is_rebuilding()
            && let Some(owner) = self.instances.first_unconfirmed()
        {
            return self.batch_of(owner, max);
        }
        let Self { sessions, clock, .. } = self;
        if let Some(due) = sessions.lingering.take(&sessions.rows, &sessions.links, clock.time, max) {
            let whose = Whose::Grace { graces: due.graces, grace_ms: due.grace_ms };
            return Some(Batch { rows: due.rows, reason: OfflineReason::Lost, whose, ended: None });
        }
        let (_, owner) = self.instances.first_due().filter(|(due, _)| *due <= self.clock.time)?;
        self.batch_of(owner, max)
    }

    /// The next rows of a closed owner's pass; the pass is behind them from here on.
    fn batch_of(&mut self, id: OwnerId, max: usize) -> Option<Batch> {
        let closed = self.instances.owner(id)?.closed.as_ref()?;
        let (mut rows, mut next) = (Vec::new(), closed.next);
        while next != RowId::NONE && rows.len() < max {
            rows.push(next);
            next = self.sessions.links.around(next).1;
        }
        let (graces, grace_ms) = (Arc::clone(&closed.graces), closed.grace_ms());
        let whose = if closed.cause == ClosingCause::Restored {
            Whose::Everybody
        } else if closed.is_last_stage() {
            Whose::Rest { graces, grace_ms }
        } else {
            Whose::Grace { graces, grace_ms }
        };
        let batch = Batch { reason: reason_of(closed.cause), whose, ended: (next == RowId::NONE).then_some(id), rows };
        let last = batch.rows.last().and_then(|row| self.sessions.rows.get(*row)).map(|entry| entry.row.epoch());
        self.instances.change(id, |owner| {
            if let Some(closed) = &mut owner.closed {
                (closed.after, closed.next) = (last.unwrap_or(closed.after), next);
            }
        });
        Some(batch)
    }

    fn sweep_batch(&mut self, batch: &Batch) {
        self.sessions.warm_rows(&batch.rows);
        for row in &batch.rows {
            self.sweep_row(*row, batch);
        }
        if let Some(owner) = batch.ended {
            self.instances.next_stage(owner);
        }
    }

    fn sweep_row(&mut self, row: RowId, batch: &Batch) {
        let Self { sessions, instances, presence, clock, .. } = self;
        let Some(entry) = sessions.rows.get(row) else { return };
        let mut names = sessions.topics.names_of(entry);
        let whole = batch.whose.is_whole(&names);
        names.retain(|name| batch.whose.is_topic(name));
        if let Some(subject) = Subject::of(entry, instances) {
            let scope = Scope { whole, topics: TopicNames::listed(&names) };
            Teller { presence, clock }.tell(&subject, scope, PresenceWhat::Offline(batch.reason));
        }
        drop(names);
        if whole {
            self.sessions.remove(&mut self.instances, row);
        }
    }
}

impl Whose {
    fn is_topic(&self, name: &[u8]) -> bool {
        match self {
            Self::Grace { graces, grace_ms } | Self::Rest { graces, grace_ms } => graces.of_topic(name) == *grace_ms,
            Self::Everybody => true,
        }
    }

    fn is_whole(&self, names: &Names<'_>) -> bool {
        match self {
            Self::Grace { graces, grace_ms } => graces.longest(names.iter().copied()) == *grace_ms,
            Self::Rest { .. } | Self::Everybody => true,
        }
    }
}
