//! One reader's documents: followed on one stream, taken together, announced and acknowledged.
//!
//! A hub belongs to a name (service and id), not to one incarnation: it is there before the first is opened and between
//! two of them. Its parts are without IO ([`book`], [`acks`]); four loops drive them: [`follow`] hears what changes,
//! [`announce`] says what is read and by which schemas, [`acknowledge`] says what became of it, and a last one writes
//! what is kept on disk.
//!
//! - While an incarnation is open, the stream is its own: layers and candidates follow from what it opened with. Before
//!   the first, it is that of a reader described in the same way, who has no candidates. When one is lost the values
//!   stay as they are for [`limits::LIFE_GRACE`], and only then become those of such a reader.
//! - Whenever the reader or the set of documents changes the stream begins with the full set. What is told again and
//!   has not changed is not told to the application.
//! - An incarnation announces what it reads before it asks for it: texts without types become what its schemas say. It
//!   does not wait for that for long.
//! - Only what was told to an incarnation is acknowledged in its name.
//! - A document that could not be read at the start stays announced and refused until it is asked for again.

mod acknowledge;
mod acks;
mod announce;
mod book;
mod follow;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use keeper_proto::v1::Applied;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{self, Duration},
};

use self::{
    acks::{Acks, Said},
    announce::Announced,
    book::{Attached, Book, Due},
};
use crate::{
    Error, Happened, Health, Reader,
    config::{
        kept::Keeping,
        schema::Announced as Schema,
        slot::{Misfit, Offer, Ready},
        told::Told,
    },
    connection::Nodes,
    instance::{LeaseId, Life, Renewals},
    limits,
};

#[derive(Debug)]
pub(crate) struct Hub {
    nodes: Arc<Nodes>,
    renewals: Arc<Renewals>,
    reader: Reader,
    life: watch::Sender<Option<Life>>,
    book: Mutex<Book>,
    acks: Mutex<Acks>,
    /// Held while values are built and taken, so that two changes never cross.
    taking: Mutex<()>,
    /// Why the stream is silent.
    trouble: Arc<watch::Sender<Option<Trouble>>>,
    joined: Notify,
    announcing: Notify,
    acknowledging: Notify,
    /// What became of the last announcement.
    announced: watch::Sender<Option<Announced>>,
    /// Counts what was acknowledged.
    acknowledged: watch::Sender<u64>,
    keeping: Keeping,
}

/// Why nothing is heard.
#[derive(Debug, Clone)]
enum Trouble {
    /// It passes.
    Silence(Error),
    /// It does not by itself.
    Refusal(Error),
}

impl Hub {
    pub(crate) fn new(nodes: Arc<Nodes>, renewals: Arc<Renewals>, reader: Reader) -> Self {
        Self {
            nodes,
            renewals,
            reader,
            life: watch::Sender::new(None),
            book: Mutex::default(),
            acks: Mutex::default(),
            taking: Mutex::default(),
            trouble: Arc::new(watch::Sender::new(None)),
            joined: Notify::new(),
            announcing: Notify::new(),
            acknowledging: Notify::new(),
            announced: watch::Sender::new(None),
            acknowledged: watch::Sender::new(0),
            keeping: Keeping::default(),
        }
    }

    /// Runs for as long as the client.
    pub(crate) async fn run(self: Arc<Self>) {
        tokio::join!(self.follow(), self.announce(), self.acknowledge(), self.keeping.run());
    }

    pub(crate) const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// An incarnation of this name was opened.
    pub(crate) fn opened(&self, life: Life) {
        self.life.send_replace(Some(life));
    }

    /// How the process is.
    pub(crate) fn report(&self, health: Health) {
        self.acks.lock().report(health);
        self.acknowledging.notify_one();
    }

    /// The incarnation that is open, unless it is `over` or believed to be.
    fn open_life(&self, over: Option<LeaseId>) -> Option<Life> {
        self.life.borrow().clone().filter(|life| Some(life.id) != over && life.is_held())
    }

    /// Takes what is due, publish by publish.
    fn take_due(&self) {
        let taking = self.taking.lock();
        let publishes = self.book.lock().due();
        publishes.into_iter().for_each(|publish| self.take(publish));
        let left = self.book.lock().left();
        left.iter().for_each(|due| self.judge(due));
        drop(taking);
    }

    /// What nobody runs with, for whoever could not read it before.
    fn judge(&self, due: &Due) {
        if let Err(misfit) = build(due) {
            self.refused(due, misfit);
        }
    }

    /// All documents of one publish, or none.
    fn take(&self, publish: Vec<Due>) {
        let built: Vec<_> = publish.iter().map(build).collect();
        let misfit = publish.iter().zip(&built).find_map(|(due, built)| {
            let misfit = built.as_ref().err()?;
            Some((due.told.path.clone(), misfit.clone()))
        });
        let Some((culprit, misfit)) = misfit else {
            for (due, ready) in publish.iter().zip(built.into_iter().flatten()) {
                self.taken(due, ready);
            }
            return;
        };
        for (due, built) in publish.iter().zip(built) {
            let misfit = built.err().unwrap_or_else(|| held_back(&due.told, &culprit, &misfit));
            self.refused(due, misfit);
        }
    }

    fn taken(&self, due: &Due, ready: Vec<Box<dyn Ready>>) {
        let mut needs_restart: Vec<String> = ready.into_iter().flat_map(Ready::take).collect();
        needs_restart.sort_unstable();
        needs_restart.dedup();
        self.book.lock().given(&due.told);
        let applied = if needs_restart.is_empty() { Applied::Yes } else { Applied::NeedsRestart };
        self.say(&due.told, applied, needs_restart.join(", "));
        due.slots.iter().filter_map(|slot| slot.save()).for_each(|save| self.keeping.save(save));
    }

    fn refused(&self, due: &Due, misfit: Misfit) {
        let Misfit { error, reason } = misfit;
        if self.book.lock().refused(&due.told, &reason) {
            due.slots.iter().for_each(|slot| slot.refuse(due.told.revision, Error::clone(&error)));
        }
        self.say(&due.told, Applied::Refused, reason);
    }

    fn say(&self, told: &Told, applied: Applied, reason: String) {
        let mut acks = self.acks.lock();
        if told.life.is_none() || told.life != acks.life() {
            return;
        }
        if told.revision == 0 {
            acks.forget(&told.path);
        } else {
            acks.say(&told.path, Said { revision: told.revision, applied, reason });
        }
        drop(acks);
        self.acknowledging.notify_one();
    }
}

/// A value for each who reads the document.
fn build(due: &Due) -> Result<Vec<Box<dyn Ready>>, Misfit> {
    let build = || due.slots.iter().map(|slot| slot.clone().build(&due.told)).collect();
    // Code of the application's: one document that it stumbles over is not the end of all others.
    catch_unwind(AssertUnwindSafe(build)).unwrap_or_else(|_| {
        let Told { path, revision, .. } = due.told.as_ref();
        let message = "the process panics at it".to_owned();
        let error = Error::Misfit { path: path.clone(), revision: *revision, message: message.clone() };
        Err(Misfit { error: Box::new(error), reason: message })
    })
}

/// It fits, but not what was published with it.
fn held_back(told: &Told, culprit: &str, misfit: &Misfit) -> Misfit {
    let message = format!("it waits with {culprit}, of the same publish: {}", misfit.reason);
    let error = Error::Misfit { path: told.path.clone(), revision: told.revision, message: message.clone() };
    Misfit { error: Box::new(error), reason: message }
}

/// Keeps a document followed.
#[derive(Debug)]
pub(crate) struct Pin {
    hub: Arc<Hub>,
    path: String,
}

impl Pin {
    /// Follows a document for as long as the pin lives.
    pub(crate) fn new(hub: Arc<Hub>, path: &str, schema: Option<Arc<Schema>>) -> Result<Self, Error> {
        hub.book.lock().pin(path, schema)?;
        hub.joined.notify_one();
        hub.announcing.notify_one();
        Ok(Self { hub, path: path.to_owned() })
    }

    /// What is told of the document, as soon as anything is.
    pub(crate) async fn told(&self, patience: Duration) -> Result<Arc<Told>, Error> {
        let told = self.hub.book.lock().told(&self.path);
        let mut told = told.ok_or_else(|| Error::not_found(&self.path))?;
        let mut trouble = self.hub.trouble.subscribe();
        let first = async {
            tokio::select! {
                biased;
                told = told.wait_for(Option::is_some) => told.ok().and_then(|told| told.clone()).ok_or(None),
                trouble = trouble.wait_for(|it| matches!(it, Some(Trouble::Refusal(_)))) => {
                    Err(trouble.ok().and_then(|it| it.clone()))
                }
            }
        };
        let ended = || Error::Ended { what: "the config", happened: Happened::No };
        match time::timeout(patience, first).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(Some(Trouble::Refusal(error) | Trouble::Silence(error)))) => Err(error),
            Ok(Err(None)) => Err(ended()),
            Err(_) => Err(match self.hub.trouble.borrow().clone() {
                Some(Trouble::Silence(error) | Trouble::Refusal(error)) => error,
                None => Error::Timeout { operation: "config follow", after: patience, happened: Happened::No },
            }),
        }
    }

    /// Tells the slot from now on what differs from what it has: what was told, or, when that is none, something
    /// nobody told. False: something else has been told by now.
    pub(crate) fn attach(&self, slot: Arc<dyn Offer>, told: Option<&Arc<Told>>) -> bool {
        let taking = self.hub.taking.lock();
        let attached = self.hub.book.lock().attach(&self.path, &slot, told);
        if let Some(told) = told.filter(|_| attached == Attached::Alone) {
            self.hub.say(told, Applied::Yes, String::new());
            slot.save().into_iter().for_each(|save| self.hub.keeping.save(save));
        }
        drop(taking);
        if attached == Attached::Late {
            return false;
        }
        self.hub.take_due();
        true
    }

    /// Goes on reading the document, by its judge alone, when the pin is gone.
    pub(crate) fn leave(&self, judge: Arc<dyn Offer>, refused: &Arc<Told>, reason: String) {
        self.hub.book.lock().leave(judge, refused, reason);
    }

    /// Says that what was told cannot be run with, and waits a moment until the cluster has heard it.
    pub(crate) async fn refuse(&self, told: &Told, reason: &str) {
        self.hub.say(told, Applied::Refused, reason.to_owned());
        let mut acknowledged = self.hub.acknowledged.subscribe();
        let heard = acknowledged.wait_for(|_| self.hub.acks.lock().is_settled());
        // Either way the caller hears of it.
        let _ = time::timeout(limits::REFUSAL_TOLD_WITHIN, heard).await;
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.hub.book.lock().unpin(&self.path) {
            self.hub.acks.lock().forget(&self.path);
            self.hub.announcing.notify_one();
            self.hub.acknowledging.notify_one();
        }
    }
}
