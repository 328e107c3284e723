//! Says what is read and by which schemas, for each incarnation and whenever it changes.

use keeper_proto::v1::{AnnounceRequest, announce_request::Consumed as ConsumedProto};
use tokio::time;

use super::{Hub, book::Consumed, follow::is_over};
use crate::{
    Error,
    config::follow::client,
    connection::{Aim, Backoff, asked},
    instance::LeaseId,
    limits,
};

/// An announcement: whose, and how many changes of it came before.
type Announcement = (LeaseId, u64);

/// What became of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// It counts from this revision on.
    Done(Announcement, u64),
    /// It was refused, and is made again in a while.
    Refused(Announcement),
}

impl Hub {
    pub(super) async fn announce(&self) {
        let mut done: Option<Announcement> = None;
        let mut backoff = Backoff::new(self.nodes.random.clone());
        loop {
            self.announcing.notified().await;
            while let Some((announcement, documents)) = self.unannounced(done) {
                match self.send_announcement(announcement.0, &documents).await {
                    Ok(revision) => {
                        done = Some(announcement);
                        self.announced.send_replace(Some(Announced::Done(announcement, revision)));
                        backoff.reset();
                    }
                    // The stream hears of it too, and of the next incarnation.
                    Err(error) if is_over(&error) => break,
                    Err(error) => {
                        tracing::warn!(%error, "what this process reads is not announced");
                        if !passes(&error) {
                            self.announced.send_replace(Some(Announced::Refused(announcement)));
                        }
                        self.pause_after(&error, &mut backoff).await;
                    }
                }
            }
        }
    }

    /// Before something is said again that was not heard.
    pub(super) async fn pause_after(&self, error: &Error, backoff: &mut Backoff) {
        if passes(error) {
            self.nodes.pause(backoff.next(asked(error))).await;
        } else {
            time::sleep(limits::ANNOUNCE_PAUSE).await;
        }
    }

    /// Whether an incarnation has said what it reads; none when it has not, and may yet.
    pub(super) fn announced(&self, life: LeaseId, announcements: u64) -> Option<Announced> {
        (*self.announced.borrow()).filter(|announced| {
            let (Announced::Done((of, count), _) | Announced::Refused((of, count))) = *announced;
            of == life && count >= announcements
        })
    }

    /// What is to be announced, unless it is done.
    fn unannounced(&self, done: Option<Announcement>) -> Option<(Announcement, Vec<Consumed>)> {
        let life = self.acks.lock().life()?;
        let book = self.book.lock();
        let announcement = (life, book.announcements);
        let documents = book.consumed();
        // Who has announced nothing need not say that it reads nothing.
        let is_said = done.is_some_and(|(of, _)| of == life);
        (done != Some(announcement) && (is_said || !documents.is_empty())).then_some((announcement, documents))
    }

    async fn send_announcement(&self, life: LeaseId, documents: &[Consumed]) -> Result<u64, Error> {
        let LeaseId { state_id, incarnation } = life;
        let schemas = || documents.iter().filter_map(|(_, schema)| schema.as_ref());
        let consumed = documents.iter().map(|(path, schema)| ConsumedProto {
            path: path.clone(),
            schema_hash: schema.as_ref().map(|schema| schema.hash.clone()).unwrap_or_default(),
        });
        let mut request = AnnounceRequest { incarnation, state_id, documents: consumed.collect(), schemas: Vec::new() };
        loop {
            let method = |channel, request| async move { client(channel).announce(request).await };
            let patience = self.nodes.settings.attempt_timeout;
            let tried = self.nodes.try_once("config announce", &Aim::Leader, patience, request.clone(), &method).await;
            let reply = tried.map_err(|failure| failure.error)?;
            if reply.missing.is_empty() {
                return Ok(reply.revision);
            }
            let missing = schemas().filter(|schema| reply.missing.contains(&schema.hash));
            let missing: Vec<_> = missing.map(|schema| schema.text.clone()).collect();
            if missing.is_empty() {
                return Err(Error::malformed("schemas are missing that nobody announced"));
            }
            // Two documents may be read by one schema. Those sent before may have gone with another process.
            request.schemas.extend(missing);
            request.schemas.sort_unstable();
            request.schemas.dedup();
        }
    }
}

/// Neither a refusal nor a server that does not know the call passes within moments.
fn passes(error: &Error) -> bool {
    error.is_retryable() && error.reason() != "unimplemented"
}
