//! Which documents are read, what was told of each, and what is still to be done about it. Without IO.
//!
//! A document is *due* when its readers do not run with what was told last. Documents of one publish have one revision
//! and are taken together or not at all: if one of them does not fit, the others wait with it, until either of them is
//! published anew.
//!
//! A document that could not be read at the start is *left*: nobody reads it, and it stays announced and judged until
//! somebody does.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Weak},
};

use keeper_proto::v1::EffectiveDocument;
use tokio::sync::watch;

use crate::{
    Error,
    config::{schema::Announced, slot::Offer, told::Told},
    instance::LeaseId,
    limits,
};

#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<String, Entry>,
    /// Counts the documents that joined: the stream is behind while its own count is lower.
    pub(super) joins: u64,
    /// Counts the changes of what is announced.
    pub(super) announcements: u64,
}

struct Entry {
    pins: usize,
    schema: Option<Arc<Announced>>,
    told: watch::Sender<Option<Arc<Told>>>,
    /// What the slots run with; none: with something that nobody told.
    given: Option<Arc<Told>>,
    /// What they last refused, and why.
    refused: Option<(Arc<Told>, String)>,
    slots: Vec<Weak<dyn Offer>>,
    /// Judges for who could not read it.
    judge: Option<Arc<dyn Offer>>,
}

/// A document that is due, and who reads it.
pub(super) struct Due {
    pub(super) told: Arc<Told>,
    pub(super) slots: Vec<Arc<dyn Offer>>,
}

/// What became of a slot that wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attached {
    /// It is the only one: what it runs with is what the process runs with.
    Alone,
    /// There are others, who spoke for the process before.
    WithOthers,
    /// Something else has been told by now.
    Late,
}

/// A document as it is announced.
pub(super) type Consumed = (String, Option<Arc<Announced>>);

impl Book {
    /// Reads a document, or reads it once more.
    pub(super) fn pin(&mut self, path: &str, schema: Option<Arc<Announced>>) -> Result<(), Error> {
        // Asked for again, it is told and announced from the beginning; what it was refused for stays said meanwhile.
        let is_again = self.entries.get(path).is_some_and(|entry| entry.pins == 0);
        let former = if is_again { self.entries.remove(path) } else { None };
        if !self.entries.contains_key(path) {
            if self.entries.len() >= limits::FOLLOWED_MAX && !self.forget_left() {
                let message = format!("{} documents are followed already, which is the limit", limits::FOLLOWED_MAX);
                return Err(Error::invalid("path", message));
            }
            let is_announced = former.is_some_and(|former| former.schema == schema);
            self.entries.insert(path.to_owned(), Entry::new(schema.clone()));
            self.joins += 1;
            self.announcements += u64::from(!is_announced);
        }
        let Some(entry) = self.entries.get_mut(path) else { return Ok(()) };
        match (&entry.schema, schema) {
            (Some(present), Some(schema)) if *present != schema => {
                return Err(Error::invalid("schema", format!("this process reads {path} by another one already")));
            }
            (None, Some(schema)) => {
                entry.schema = Some(schema);
                self.announcements += 1;
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        entry.pins += 1;
        Ok(())
    }

    /// Reads it once less; true: no more at all.
    pub(super) fn unpin(&mut self, path: &str) -> bool {
        let Some(entry) = self.entries.get_mut(path) else { return false };
        entry.pins -= 1;
        let is_last = entry.pins == 0 && entry.judge.is_none();
        if is_last {
            // The stream goes on naming the document until it opens again for another reason; nobody listens.
            self.entries.remove(path);
            self.announcements += 1;
        }
        is_last
    }

    /// It could not be read: it is judged from now on though nobody reads it.
    pub(super) fn leave(&mut self, judge: Arc<dyn Offer>, refused: &Arc<Told>, reason: String) {
        let Some(entry) = self.entries.get_mut(&refused.path) else { return };
        // Others that read it speak for the process.
        if entry.slots.iter().all(|slot| slot.strong_count() == 0) {
            entry.judge = Some(judge);
            entry.refused = Some((refused.clone(), reason));
        }
    }

    /// Makes room: what nobody reads is less than what somebody wants to.
    fn forget_left(&mut self) -> bool {
        let left = self.entries.iter().find(|(_, entry)| entry.pins == 0).map(|(path, _)| path.clone());
        left.is_some_and(|path| self.entries.remove(&path).is_some())
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    pub(super) fn consumed(&self) -> Vec<Consumed> {
        self.entries.iter().map(|(path, entry)| (path.clone(), entry.schema.clone())).collect()
    }

    /// What was told of a document, and whatever will be.
    pub(super) fn told(&self, path: &str) -> Option<watch::Receiver<Option<Arc<Told>>>> {
        self.entries.get(path).map(|entry| entry.told.subscribe())
    }

    /// Takes a change; `reset`: it is all there is of `asked`.
    pub(super) fn hear(&mut self, documents: Vec<EffectiveDocument>, reset: Option<&[String]>, life: Option<LeaseId>) {
        let mut absent: BTreeSet<&str> = reset.into_iter().flatten().map(String::as_str).collect();
        for document in &documents {
            absent.remove(document.path.as_str());
        }
        let nothing = absent.into_iter().map(|path| Told::nothing(path, life));
        let told = documents.into_iter().map(|document| Told::of(document, life)).chain(nothing);
        for told in told.collect::<Vec<_>>() {
            if let Some(entry) = self.entries.get(&told.path) {
                entry.told.send_replace(Some(Arc::new(told)));
            }
        }
    }

    /// What is due, publish by publish, the oldest first.
    pub(super) fn due(&mut self) -> Vec<Vec<Due>> {
        let mut publishes: BTreeMap<u64, Vec<Due>> = BTreeMap::new();
        for entry in self.entries.values_mut() {
            let told = entry.told.borrow().clone();
            let Some(told) = told.filter(|told| !is_same(entry.given.as_ref(), told)) else { continue };
            entry.slots.retain(|slot| slot.strong_count() > 0);
            let slots: Vec<_> = entry.slots.iter().filter_map(Weak::upgrade).collect();
            if !slots.is_empty() {
                publishes.entry(told.revision).or_default().push(Due { told, slots });
            }
        }
        publishes.into_values().collect()
    }

    /// What is to be judged for those who could not read it, and was not yet found wanting.
    pub(super) fn left(&self) -> Vec<Due> {
        let due = |entry: &Entry| {
            let judge = entry.judge.clone().filter(|_| entry.pins == 0)?;
            let told = entry.told.borrow().clone()?;
            let is_refused = entry.refused.as_ref().is_some_and(|(refused, _)| Arc::ptr_eq(refused, &told));
            (!is_refused).then(|| Due { told, slots: vec![judge] })
        };
        self.entries.values().filter_map(due).collect()
    }

    /// The slots run with what was told.
    pub(super) fn given(&mut self, told: &Arc<Told>) {
        if let Some(entry) = self.entries.get_mut(&told.path) {
            entry.given = Some(told.clone());
            entry.refused = None;
        }
    }

    /// They do not; false: that is known.
    pub(super) fn refused(&mut self, told: &Arc<Told>, reason: &str) -> bool {
        let Some(entry) = self.entries.get_mut(&told.path) else { return false };
        let is_known = entry.refused.as_ref().is_some_and(|(it, why)| Arc::ptr_eq(it, told) && why == reason);
        entry.refused = Some((told.clone(), reason.to_owned()));
        !is_known
    }

    /// Tells the slot from now on. It runs with what was told, or, when that is none, with something nobody told.
    pub(super) fn attach(&mut self, path: &str, slot: &Arc<dyn Offer>, told: Option<&Arc<Told>>) -> Attached {
        let Some(entry) = self.entries.get_mut(path) else { return Attached::Late };
        if told.is_some_and(|told| !is_same(entry.told.borrow().as_ref(), told)) {
            return Attached::Late;
        }
        let is_alone = entry.slots.iter().all(|slot| slot.strong_count() == 0);
        if is_alone {
            entry.given = told.cloned();
        }
        entry.judge = None;
        entry.slots.push(Arc::downgrade(slot));
        if is_alone { Attached::Alone } else { Attached::WithOthers }
    }

    /// All that runs as it was told to last.
    pub(super) fn settled(&self) -> Vec<Arc<dyn Offer>> {
        let is_settled =
            |entry: &&Entry| entry.told.borrow().as_ref().is_some_and(|told| is_same(entry.given.as_ref(), told));
        let slots = self.entries.values().filter(is_settled).flat_map(|entry| &entry.slots);
        slots.filter_map(Weak::upgrade).collect()
    }
}

impl Entry {
    fn new(schema: Option<Arc<Announced>>) -> Self {
        Self {
            pins: 0,
            schema,
            told: watch::Sender::new(None),
            given: None,
            refused: None,
            slots: Vec::new(),
            judge: None,
        }
    }
}

fn is_same(given: Option<&Arc<Told>>, told: &Arc<Told>) -> bool {
    given.is_some_and(|given| Arc::ptr_eq(given, told))
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Entry").field("pins", &self.pins).field("told", &self.told).finish()
    }
}
