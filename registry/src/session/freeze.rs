//! Sessions given out of a frozen state, and taken into one that is rebuilt.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Content, Entry, OwnerId, Pass, RowId, Sessions, TopicId, Unindexed, rows::Rows, topic::Names};
use crate::{
    Graces, Incarnation, LingerRecord, Record, SessionRecord, instance::Instances, limits::TOPICS_PER_SESSION_MAX,
};

/// The pages of sessions and of topic names.
#[derive(Debug)]
pub(crate) struct FrozenSessions {
    rows: Rows,
    names: Names,
    lingering: Vec<(Arc<Graces>, Vec<Pass>)>,
}

impl Sessions {
    pub(crate) fn freeze(&self) -> FrozenSessions {
        let (rows, names) = (self.rows.clone(), self.topics.names().clone());
        FrozenSessions { rows, names, lingering: self.lingering.freeze() }
    }

    /// Takes in a session whose owner is known and whose topics are acquired; false if a key came twice. Sessions can
    /// be found only after [`Self::index`], and the owners' lists are in order only after [`Self::sort`].
    pub(crate) fn restore(
        &mut self,
        instances: &mut Instances,
        unindexed: &mut Unindexed,
        content: &Content<'_>,
    ) -> bool {
        let row = self.put_new(instances, content);
        self.index_later(unindexed, content.user, row)
    }

    /// Goes on with passes over those that linger; false if they do not fit their graces.
    pub(crate) fn restore_passes(&mut self, graces: &Arc<Graces>, passes: &[Pass]) -> bool {
        self.lingering.restore(graces, passes)
    }

    /// Puts those that linger in the order they dropped.
    pub(crate) fn sort_lingering(&mut self) {
        self.lingering.sort(&mut self.links, &self.rows);
    }

    pub(crate) fn lingers_by(&self, graces: u32) -> bool {
        self.lingering.has(graces)
    }

    /// Puts an owner's list in the order of epochs, and finds where the passes of a closed one go on.
    pub(crate) fn sort(&mut self, instances: &mut Instances, owner: OwnerId) {
        let Some(owner) = instances.owner_mut(owner) else { return };
        let epoch = |row: RowId| self.rows.get(row).map(|entry| entry.row.epoch());
        let mut rows: Vec<_> = self.links.rows(&owner.sessions).map(|row| (epoch(row), row.0)).collect();
        if !rows.is_sorted() {
            rows.sort_unstable();
            owner.sessions = super::List::default();
            rows.iter().for_each(|(_, row)| self.links.push(&mut owner.sessions, RowId(*row)));
        }
        if let Some(closed) = &mut owner.closed {
            let first = rows.partition_point(|(epoch, _)| epoch.is_some_and(|epoch| epoch <= closed.after));
            closed.next = rows.get(first).map_or(RowId::NONE, |(_, row)| RowId(*row));
        }
    }

    /// A name gets a number while records are read; see [`Self::release`].
    pub(crate) fn acquire(&mut self, name: &[u8]) -> TopicId {
        self.topics.acquire(name)
    }

    /// One more session uses a name.
    pub(crate) fn acquire_again(&mut self, topic: TopicId) {
        self.topics.acquire_again(topic);
    }

    /// A name is no longer kept for the reader's sake.
    pub(crate) fn release(&mut self, topic: TopicId) {
        self.topics.release(topic);
    }
}

impl FrozenSessions {
    /// Graces that sessions linger by.
    pub(crate) fn graces(&self) -> impl Iterator<Item = &Arc<Graces>> {
        self.lingering.iter().map(|(graces, _)| graces)
    }

    /// `incarnations` are by owner number.
    pub(crate) fn visit<E>(
        self,
        incarnations: &[Incarnation],
        visit: &mut impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for (graces, passes) in &self.lingering {
            visit(Record::Linger(LingerRecord { graces: graces.number, passes }))?;
        }
        for (first, names) in self.names.into_pages() {
            for (number, name) in (first..).zip(names.iter()) {
                if let Some(name) = name {
                    visit(Record::Topic(number, name))?;
                }
            }
        }
        for block in self.rows.into_blocks() {
            for page in Arc::unwrap_or_clone(block).into_pages() {
                page.entries().try_for_each(|entry| visit_entry(entry, incarnations, visit))?;
            }
        }
        Ok(())
    }
}

fn visit_entry<E>(
    entry: Entry<'_>,
    incarnations: &[Incarnation],
    visit: &mut impl FnMut(Record<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let topics: SmallVec<[u32; TOPICS_PER_SESSION_MAX]> = entry.topics().map(|topic| topic.0).collect();
    visit(Record::Session(SessionRecord {
        user: entry.user(),
        slot: entry.slot(),
        incarnation: incarnations.get(entry.row.owner().0 as usize).copied().unwrap_or_default(),
        connection: entry.connection(),
        epoch: entry.row.epoch(),
        registered_at: entry.registered_at(),
        conn_seq: entry.conn_seq(),
        flushed: entry.flushed(),
        dropped: entry.dropped(),
        attributes: entry.attributes(),
        topics: &topics,
    }))
}
