//! One watch stream for every document a client follows.
//!
//! When a document joins, the stream opens again with the larger set, from the cursor as it was when the document
//! joined; a linearizable read that begins after joining shows at least that much. So nothing falls between the read
//! and the stream, and what comes by both ways is told once, by its revision.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time};

use crate::{
    Document, DocumentsChanged, Error,
    config::{Cursor, from_proto, slot::Offer, watch::Selected},
    connection::{Backoff, Nodes, Resumed},
    limits,
};

#[derive(Debug)]
pub(crate) struct Hub {
    book: Mutex<Book>,
    joined: Notify,
}

#[derive(Debug, Default)]
struct Book {
    entries: BTreeMap<String, Entry>,
    cursor: Cursor,
    /// Counts the documents that joined: the stream is behind while its own count is lower.
    joins: u64,
}

#[derive(Default)]
struct Entry {
    pins: usize,
    /// Of the document last heard; zero: none yet.
    revision: u64,
    /// What was heard before a slot asked for it.
    latest: Option<Arc<Document>>,
    slots: Vec<Weak<dyn Offer>>,
}

/// Keeps a document followed.
#[derive(Debug)]
pub(crate) struct Pin {
    hub: Arc<Hub>,
    path: String,
}

impl Hub {
    pub(crate) fn new() -> Self {
        Self { book: Mutex::new(Book::default()), joined: Notify::new() }
    }

    /// Follows a document for as long as the pin lives.
    pub(crate) fn pin(self: Arc<Self>, path: &str) -> Result<Pin, Error> {
        let mut book = self.book.lock();
        if !book.entries.contains_key(path) {
            if book.entries.len() >= limits::SELECTORS_MAX {
                let message = format!("{} documents are followed already, which is the limit", limits::SELECTORS_MAX);
                return Err(Error::invalid("path", message));
            }
            book.entries.insert(path.to_owned(), Entry::default());
            book.joins += 1;
            self.joined.notify_one();
        }
        if let Some(entry) = book.entries.get_mut(path) {
            entry.pins += 1;
        }
        drop(book);
        Ok(Pin { hub: self, path: path.to_owned() })
    }

    /// Runs for as long as the client.
    pub(crate) async fn run(self: Arc<Self>, nodes: Arc<Nodes>) {
        let mut backoff = Backoff::new(nodes.random.clone());
        let mut stream = Resumed::new(nodes, Selected::default());
        let mut joins = 0;
        loop {
            if let Some((selected, count)) = self.behind(joins) {
                joins = count;
                stream.followed = selected;
                stream.reopen();
            }
            let idle = stream.followed.selectors.is_empty();
            let frame = tokio::select! {
                biased;
                () = self.joined.notified() => continue,
                frame = stream.frame(), if !idle => frame,
            };
            match frame {
                Ok(frame) => {
                    backoff.reset();
                    let changed = from_proto::changed(frame);
                    stream.followed.cursor = changed.cursor();
                    self.hear(changed, joins, &stream.followed.selectors);
                }
                Err(error) => {
                    tracing::warn!(error = %error, "the config watch was refused");
                    time::sleep(backoff.next(None)).await;
                }
            }
        }
    }

    /// What to follow, if documents have joined since.
    fn behind(&self, joins: u64) -> Option<(Selected, u64)> {
        let book = self.book.lock();
        let selectors = book.entries.keys().cloned().collect();
        (book.joins > joins).then(|| (Selected { selectors, cursor: book.cursor }, book.joins))
    }

    fn hear(&self, changed: DocumentsChanged, joins: u64, selectors: &[String]) {
        let mut book = self.book.lock();
        if book.cursor.state_id != 0 && changed.state_id != book.cursor.state_id {
            // Revisions of another history say nothing about this one.
            book.entries.values_mut().for_each(|entry| entry.revision = 0);
        }
        if changed.reset {
            // Complete for what the stream was asked, which a document that joined since was not among.
            let present: BTreeSet<&str> = changed.documents.iter().map(|it| it.path.as_str()).collect();
            for path in selectors.iter().filter(|it| !present.contains(it.as_str())) {
                if let Some(entry) = book.entries.get_mut(path) {
                    entry.gone(changed.revision);
                }
            }
        }
        for document in &changed.documents {
            if let Some(entry) = book.entries.get_mut(&document.path) {
                entry.hear(document);
            }
        }
        // A document that joined meanwhile was not covered by this frame: the cursor stays where it joined.
        if book.joins == joins {
            book.cursor = changed.cursor();
        }
    }
}

impl Entry {
    fn hear(&mut self, document: &Document) {
        if document.revision <= self.revision {
            return;
        }
        if document.deleted {
            return self.gone(document.revision);
        }
        self.revision = document.revision;
        self.latest = Some(Arc::new(document.clone()));
        self.tell(|slot| slot.offer(document));
    }

    fn gone(&mut self, revision: u64) {
        if self.revision == 0 || revision <= self.revision {
            return;
        }
        self.revision = revision;
        self.latest = None;
        self.tell(|slot| slot.gone(revision));
    }

    fn tell(&mut self, what: impl Fn(&dyn Offer)) {
        self.slots.retain(|slot| slot.upgrade().inspect(|slot| what(slot.as_ref())).is_some());
    }
}

impl Pin {
    /// Tells the slot from now on, and at once what came after `revision`, which it has.
    pub(crate) fn attach(&self, slot: Arc<dyn Offer>, revision: u64) {
        let mut book = self.hub.book.lock();
        let Some(entry) = book.entries.get_mut(&self.path) else { return };
        if let Some(latest) = entry.latest.as_ref().filter(|it| it.revision > revision) {
            slot.offer(latest);
        } else if entry.revision > revision {
            slot.gone(entry.revision);
        }
        entry.revision = entry.revision.max(revision);
        entry.slots.push(Arc::downgrade(&slot));
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut book = self.hub.book.lock();
        if let Some(entry) = book.entries.get_mut(&self.path) {
            entry.pins -= 1;
            if entry.pins == 0 {
                // The stream goes on naming the document until it opens again for another reason; nobody listens.
                book.entries.remove(&self.path);
            }
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Entry").field("pins", &self.pins).field("revision", &self.revision).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Format, config::slot::Slot};

    fn document(revision: u64, value: &Value) -> Document {
        Document {
            path: "a.json".to_owned(),
            format: Some(Format::Json),
            text: value.to_string(),
            canonical: value.to_string().into(),
            revision,
            version: revision,
            author: String::new(),
            message: String::new(),
            published_at_ms: 0,
            deleted: false,
        }
    }

    fn frame(documents: Vec<Document>) -> DocumentsChanged {
        DocumentsChanged { revision: 9, state_id: 7, reset: true, documents }
    }

    #[test]
    fn what_was_read_before_the_first_frame_is_not_told_as_a_change() {
        let hub = Arc::new(Hub::new());
        let pin = hub.clone().pin("a.json").expect("there is room");
        let read = document(4, &json!({"a": 1}));
        let slot = Arc::new(Slot::<Value>::new(&read).expect("it fits"));
        let mut seen = slot.seen();
        seen.mark_unchanged();
        pin.attach(slot.clone(), read.revision);
        hub.hear(frame(vec![read]), 1, &["a.json".to_owned()]);
        assert!(!seen.has_changed().expect("it is there"), "it was told again");
        hub.hear(frame(vec![document(5, &json!({"a": 2}))]), 1, &["a.json".to_owned()]);
        assert!(seen.has_changed().expect("it is there"));
    }
}
