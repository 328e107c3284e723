//! Publishing: all documents or none, with compare-and-set.
//!
//! Everything is judged before anything changes. A text that is already what is published changes nothing and gets no
//! new revision; a publish of nothing but such texts answers where they stand.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{Configs, Document, layer};
use crate::{
    DocumentAction, DocumentChange, Event, Format, Level, Policy, Publish, Rejection, Reply, Revision, State, check,
    limits,
};

impl State {
    pub(crate) fn publish(&mut self, publish: &Publish, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        let changed = self.judge_publish(publish)?;
        if changed.is_empty() {
            let present = publish.changes.iter().filter_map(|change| self.configs.present(&change.path));
            let revision = present.map(|document| document.revision).max().unwrap_or_default();
            return Ok(Reply::Published { revision, changed: false });
        }
        self.write(&changed, &Authorship::of(publish), events);
        Ok(Reply::Published { revision: self.clock.revision, changed: true })
    }

    /// Whether a publish would be taken as things are now, and would change something: what `apply` would decide, for
    /// who only asks. Whether it was asked before under the same request id is not looked at.
    ///
    /// # Errors
    /// As it would be refused.
    pub fn would_publish(&self, publish: &Publish) -> Result<bool, Rejection> {
        self.judge_publish(publish).map(|changed| !changed.is_empty())
    }

    /// Those of its changes that would change something, if all of it may be published.
    pub(crate) fn judge_publish<'a>(&self, publish: &'a Publish) -> Result<Vec<&'a DocumentChange>, Rejection> {
        check_publish(publish, self.level())?;
        self.rollouts.check_free(&publish.changes)?;
        for change in &publish.changes {
            self.configs.check_expected(change)?;
            self.check_policy(change)?;
        }
        self.check_judged(&publish.judged)?;
        let changed: Vec<_> = publish.changes.iter().filter(|change| self.configs.is_changed_by(change)).collect();
        self.configs.check_room(&changed, publish.forced.as_deref().unwrap_or_default())?;
        Ok(changed)
    }

    /// Writes changes that were judged before, and for which nothing else can have been published since.
    pub(crate) fn write_judged(
        &mut self,
        changes: &[&DocumentChange],
        authorship: &Authorship,
        events: &mut Vec<Event>,
    ) -> Result<(), Rejection> {
        self.configs.check_room(changes, authorship.forced.as_deref().unwrap_or_default())?;
        self.write(changes, authorship, events);
        Ok(())
    }

    /// Writes changes that were judged, all at this entry's revision.
    fn write(&mut self, changes: &[&DocumentChange], authorship: &Authorship, events: &mut Vec<Event>) {
        for change in changes {
            let document = Arc::new(self.document(change, authorship));
            events.push(Event::Config { path: Arc::clone(&document.path) });
            self.configs.push(document);
            self.configs.forget(&change.path);
            self.take_policy(change, events);
        }
        self.configs.retain(self.clock.time);
    }

    fn document(&self, change: &DocumentChange, authorship: &Authorship) -> Document {
        let Authorship { author, message, forced } = authorship;
        let known = self.configs.paths.get_key_value(change.path.as_str());
        let newest = known.map(|(_, history)| &history.newest.document);
        let (format, text, value, deleted) = match &change.action {
            DocumentAction::Put { format, text, value, policy: _ } => {
                (*format, Bytes::copy_from_slice(text), Bytes::copy_from_slice(value), false)
            }
            DocumentAction::Delete => {
                (newest.map_or(Format::Json, |document| document.format), Bytes::new(), Bytes::new(), true)
            }
        };
        Document {
            path: known.map_or_else(|| change.path.as_str().into(), |(path, _)| Arc::clone(path)),
            format,
            text,
            value,
            revision: self.clock.revision,
            version: newest.map_or(1, |document| document.version.saturating_add(1)),
            author: Arc::clone(author),
            message: Arc::clone(message),
            published_at: self.clock.time,
            deleted,
            forced: forced.clone(),
        }
    }
}

/// Who published, and why; shared by all documents of a publish.
#[derive(Debug)]
pub(crate) struct Authorship {
    pub(crate) author: Arc<str>,
    pub(crate) message: Arc<str>,
    pub(crate) forced: Option<Arc<str>>,
}

impl Authorship {
    fn of(publish: &Publish) -> Self {
        let Publish { author, message, forced, .. } = publish;
        Self {
            author: author.as_str().into(),
            message: message.as_str().into(),
            forced: forced.as_deref().map(Arc::from),
        }
    }
}

impl Configs {
    fn check_expected(&self, change: &DocumentChange) -> Result<(), Rejection> {
        let present = self.present(&change.path).map_or_else(Revision::default, |document| document.revision);
        match change.expected {
            Some(expected) if expected != present => {
                Err(Rejection::RevisionMismatch { path: change.path.clone(), expected, present })
            }
            None if matches!(change.action, DocumentAction::Delete) && present == Revision::default() => {
                Err(Rejection::NotFound { what: "document" })
            }
            _ => Ok(()),
        }
    }

    fn is_changed_by(&self, change: &DocumentChange) -> bool {
        match (&change.action, self.present(&change.path)) {
            (DocumentAction::Put { format, text, policy, .. }, Some(present)) => {
                present.format != *format || present.text != text || self.is_decided_by(policy.as_ref())
            }
            (DocumentAction::Put { .. }, None) | (DocumentAction::Delete, Some(_)) => true,
            (DocumentAction::Delete, None) => false,
        }
    }

    /// Whether a history policy is another one than is in force: its text may be from before there were such policies.
    fn is_decided_by(&self, policy: Option<&Policy>) -> bool {
        matches!(policy, Some(Policy::History(policy)) if policy != self.history_policy())
    }

    /// Whether what is published fits once these changes are made.
    fn check_room(&self, changes: &[&DocumentChange], forced: &str) -> Result<(), Rejection> {
        let (mut documents, mut bytes) = (self.documents(), self.present_bytes);
        for change in changes {
            if let Some(present) = self.present(&change.path) {
                documents -= 1;
                bytes -= present.bytes();
            }
        }
        for change in changes {
            if let DocumentAction::Put { text, value, .. } = &change.action {
                documents += 1;
                bytes += change.path.len() + text.len() + value.len() + AUTHORSHIP_BYTES_MAX + forced.len();
            }
        }
        self.check_layers(changes)?;
        if documents > limits::DOCUMENTS_MAX && documents > self.documents() {
            return Err(Rejection::Full { what: "documents", limit: limits::DOCUMENTS_MAX as u64 });
        }
        if bytes > limits::DOCUMENT_BYTES_TOTAL_MAX && bytes > self.present_bytes {
            return Err(Rejection::Full { what: "bytes of documents", limit: limits::DOCUMENT_BYTES_TOTAL_MAX as u64 });
        }
        Ok(())
    }
}

impl Configs {
    /// Whether no path gets more layers than it may have.
    fn check_layers(&self, changes: &[&DocumentChange]) -> Result<(), Rejection> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let layered = |change: &&&DocumentChange| change.path.contains(layer::MARK);
        let present = |change: &&&DocumentChange| self.present(&change.path).is_some();
        for change in changes.iter().filter(layered) {
            let Some((path, _)) = change.path.split_once(layer::MARK) else { continue };
            let count = counts.entry(path).or_insert_with(|| self.families.len(path));
            match (&change.action, present(&change)) {
                (DocumentAction::Put { .. }, false) => *count += 1,
                (DocumentAction::Delete, true) => *count -= 1,
                (DocumentAction::Put { .. }, true) | (DocumentAction::Delete, false) => {}
            }
        }
        let is_too_many = |(path, count): (&str, usize)| count > limits::LAYERS_MAX.max(self.families.len(path));
        if counts.into_iter().any(is_too_many) {
            return Err(Rejection::Full { what: "layers of a document", limit: limits::LAYERS_MAX as u64 });
        }
        Ok(())
    }
}

/// Room for who and why, counted in full so that the judgement does not depend on them.
const AUTHORSHIP_BYTES_MAX: usize = limits::AUTHOR_BYTES_MAX + limits::MESSAGE_BYTES_MAX;

fn check_publish(publish: &Publish, level: Level) -> Result<(), Rejection> {
    check::author(&publish.author)?;
    check::size("message", publish.message.len(), limits::MESSAGE_BYTES_MAX)?;
    if let Some(reason) = &publish.forced {
        check::bytes("forced", reason.as_bytes(), limits::MESSAGE_BYTES_MAX)?;
    }
    if publish.changes.is_empty() {
        return Err(Rejection::NotFound { what: "changes" });
    }
    check::size("changes", publish.changes.len(), limits::PUBLISH_DOCUMENTS_MAX)?;
    let (mut texts, mut values) = (0, 0);
    for (place, change) in publish.changes.iter().enumerate() {
        check::key(&change.path, level)?;
        if publish.changes[..place].iter().any(|other| other.path == change.path) {
            return Err(Rejection::Repeated { field: "path" });
        }
        if let DocumentAction::Put { text, value, .. } = &change.action {
            check::size("text", text.len(), limits::DOCUMENT_BYTES_MAX)?;
            check::size("value", value.len(), limits::DOCUMENT_BYTES_MAX)?;
            texts += text.len();
            values += value.len();
        }
    }
    check::size("text", texts, limits::PUBLISH_BYTES_MAX)?;
    check::size("value", values, limits::PUBLISH_BYTES_MAX)
}
