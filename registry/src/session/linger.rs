//! Sessions whose connection dropped, and that may come back.
//!
//! They lie in one list for each version of graces, in the order they dropped, which is also the order of log time. For
//! each grace of that version a pass goes over the list: behind it the subscribers of topics with that grace were told.
//! A shorter grace's pass is never behind a longer one's, and the pass of a session's longest grace removes it.
//!
//! Of a pass, the last session it was told of is part of the state; the row where it goes on follows from it, and is
//! kept so that a sweep begins without a search.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    links::{Links, List},
    row::RowId,
    rows::Rows,
};
use crate::{
    Graces, LogTime, PresenceCursor,
    digest::{Digest, Kind},
};

/// A connection that dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Of the fact that says so.
    pub cursor: PresenceCursor,
    /// When.
    pub at: LogTime,
    /// Number of the graces in force then.
    pub graces: u32,
}

/// How far the subscribers that wait for one grace were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Which.
    pub grace_ms: u32,
    /// They were told of every session that dropped up to here.
    pub after: PresenceCursor,
}

/// Sessions that linger by one version of graces.
#[derive(Debug)]
struct Queue {
    graces: Arc<Graces>,
    list: List,
    /// The shortest first. None for a grace of nothing, which is told at once.
    passes: Vec<Pass>,
    /// Where each pass goes on.
    next: Vec<RowId>,
}

/// All sessions that linger.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    queues: BTreeMap<u32, Queue>,
}

/// Sessions of which one pass is due.
#[derive(Debug)]
pub(super) struct DuePass {
    pub(super) graces: Arc<Graces>,
    pub(super) grace_ms: u32,
    pub(super) rows: Vec<RowId>,
}

impl Queue {
    fn new(graces: &Arc<Graces>) -> Self {
        let stages = graces.stages().into_iter().filter(|grace_ms| *grace_ms > 0);
        let passes: Vec<_> = stages.map(|grace_ms| Pass { grace_ms, after: PresenceCursor::default() }).collect();
        let next = vec![RowId::NONE; passes.len()];
        Self { graces: Arc::clone(graces), list: List::default(), passes, next }
    }
}

impl Lingering {
    pub(super) fn versions(&self) -> usize {
        self.queues.len()
    }

    /// How long sessions of this version linger, and up to which grace their subscribers were told of this one.
    pub(super) fn told(&self, dropped: Dropped) -> Option<(&Arc<Graces>, u32)> {
        let queue = self.queues.get(&dropped.graces)?;
        let told = queue.passes.iter().filter(|pass| pass.after >= dropped.cursor).map(|pass| pass.grace_ms).max();
        Some((&queue.graces, told.unwrap_or_default()))
    }

    pub(super) fn has(&self, graces: u32) -> bool {
        self.queues.contains_key(&graces)
    }

    /// There is a list for this version from here on.
    pub(super) fn open(&mut self, graces: &Arc<Graces>) {
        self.queues.entry(graces.number).or_insert_with(|| Queue::new(graces));
    }

    /// Takes the last one that dropped.
    pub(super) fn push(&mut self, links: &mut Links, graces: u32, row: RowId) {
        let Some(queue) = self.queues.get_mut(&graces) else { return };
        links.push(&mut queue.list, row);
        for next in queue.next.iter_mut().filter(|next| **next == RowId::NONE) {
            *next = row;
        }
    }

    pub(super) fn remove(&mut self, links: &mut Links, graces: u32, row: RowId) {
        let Some(queue) = self.queues.get_mut(&graces) else { return };
        let (_, after) = links.around(row);
        for next in queue.next.iter_mut().filter(|next| **next == row) {
            *next = after;
        }
        links.remove(&mut queue.list, row);
        if queue.list.len() == 0 {
            self.queues.remove(&graces);
        }
    }

    /// When the first pass is due.
    pub(super) fn due(&self, rows: &Rows) -> Option<LogTime> {
        let queues = self.queues.values();
        queues
            .flat_map(|queue| queue.passes.iter().zip(&queue.next))
            .filter_map(|(pass, next)| pass.due(rows, *next))
            .min()
    }

    /// Sessions of one pass that are due now, at most `max`; the pass is behind them from here on.
    ///
    /// The shortest grace of a version goes first, so that each session's topics are told before the session is
    /// removed.
    pub(super) fn take(&mut self, rows: &Rows, links: &Links, now: LogTime, max: usize) -> Option<DuePass> {
        for queue in self.queues.values_mut() {
            for (pass, next) in queue.passes.iter_mut().zip(&mut queue.next) {
                let mut taken = Vec::new();
                while taken.len() < max && pass.due(rows, *next).is_some_and(|due| due <= now) {
                    if let Some(dropped) = rows.get(*next).and_then(|entry| entry.dropped()) {
                        pass.after = dropped.cursor;
                    }
                    taken.push(*next);
                    *next = links.around(*next).1;
                }
                if !taken.is_empty() {
                    let graces = Arc::clone(&queue.graces);
                    return Some(DuePass { graces, grace_ms: pass.grace_ms, rows: taken });
                }
            }
        }
        None
    }

    pub(super) fn digest(&self) -> u64 {
        let digest = Digest::of(Kind::Linger).number(self.queues.len() as u64);
        let passes = self.queues.values().flat_map(|queue| queue.passes.iter().map(|pass| (&queue.graces, pass)));
        passes
            .fold(digest, |digest, (graces, pass)| {
                let digest = digest.number(graces.digest()).number(pass.grace_ms.into());
                digest.number(pass.after.revision.0).number(pass.after.position.into())
            })
            .finish()
    }

    /// By version: what a snapshot holds of them beside the sessions.
    pub(super) fn freeze(&self) -> Vec<(Arc<Graces>, Vec<Pass>)> {
        self.queues.values().map(|queue| (Arc::clone(&queue.graces), queue.passes.clone())).collect()
    }

    /// Goes on with passes of a snapshot. Its sessions come later, in no order; see [`Self::sort`].
    pub(super) fn restore(&mut self, graces: &Arc<Graces>, passes: &[Pass]) -> bool {
        let mut queue = Queue::new(graces);
        let fits = queue.passes.iter().map(|pass| pass.grace_ms).eq(passes.iter().map(|pass| pass.grace_ms));
        queue.passes = passes.to_vec();
        fits && self.queues.insert(graces.number, queue).is_none()
    }

    /// Puts every list in the order of drops, and finds where its passes go on.
    pub(super) fn sort(&mut self, links: &mut Links, rows: &Rows) {
        let dropped = |row: RowId| rows.get(row).and_then(|entry| entry.dropped()).map(|dropped| dropped.cursor);
        for queue in self.queues.values_mut() {
            let mut order: Vec<_> = links.rows(&queue.list).map(|row| (dropped(row), row.0)).collect();
            order.sort_unstable();
            queue.list = List::default();
            order.iter().for_each(|(_, row)| links.push(&mut queue.list, RowId(*row)));
            for (pass, next) in queue.passes.iter().zip(&mut queue.next) {
                let first = order.partition_point(|(cursor, _)| cursor.is_some_and(|cursor| cursor <= pass.after));
                *next = order.get(first).map_or(RowId::NONE, |(_, row)| RowId(*row));
            }
        }
    }
}

impl Pass {
    fn due(&self, rows: &Rows, next: RowId) -> Option<LogTime> {
        let dropped = rows.get(next)?.dropped()?;
        Some(LogTime(dropped.at.0.saturating_add(self.grace_ms.into())))
    }
}
