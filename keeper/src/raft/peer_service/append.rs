//! The append stream: openraft reads requests ahead and answers in order, as each reaches the disk.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use keeper_proto::peer::Envelope;
use keeper_proto::peer::envelope::Kind;
use openraft::raft::AppendEntriesRequest;
use parking_lot::Mutex;
use tonic::{Status, Streaming};

use super::PeerService;
use super::call::unavailable;
use crate::clock;
use crate::govern::Guest;
use crate::raft::encode;
use crate::raft::identity::Refusal;
use crate::raft::limits::REFUSAL_TOLD_EVERY;
use crate::raft::overwritten::pass_over_unknown_commit;
use crate::raft::status::RaftStatus;
use crate::raft::type_config::TypeConfig;

/// Why reading ended, if not because the sender was done.
type Ended = Arc<Mutex<Option<(u64, Refusal)>>>;

impl PeerService {
    pub(super) async fn serve_append(
        &self,
        requests: Streaming<Envelope>,
        guest: Option<Guest>,
    ) -> Pin<Box<dyn Stream<Item = Result<Envelope, Status>> + Send>> {
        let ended = Ended::default();
        let sender = Arc::new(AtomicU64::new(0));
        let input = self.clone().requests(requests, guest, Arc::clone(&ended), Arc::clone(&sender));
        let raft = self.handle.raft.clone();
        // The call spawns the task that reads ahead; it needs seeds of its own.
        let results = self.entropy.scope(async move { raft.stream_append(input).boxed() }).await;
        // Ends before Raft does: an answer that waits for a core that is being stopped is no fault to be told.
        let results = results.take_until(self.handle.stopping.clone().cancelled_owned());
        let identity = Arc::clone(&self.identity);
        let answers = results.map(move |result| match result {
            Ok(result) => {
                let body = encode::append_result(&result);
                Ok(identity.answer(sender.load(Ordering::Relaxed), Kind::Append, body))
            }
            Err(fatal) => Err(Status::unavailable(format!("Raft has stopped: {fatal}"))),
        });
        let service = self.clone();
        let refusal = stream::once(async move {
            let (from, refusal) = ended.lock().take()?;
            Some(Ok(service.refuse(from, &refusal)))
        });
        answers.chain(refusal.filter_map(futures_util::future::ready)).boxed()
    }

    /// The requests, until the sender ends or sends something that is refused.
    fn requests(
        self,
        requests: Streaming<Envelope>,
        guest: Option<Guest>,
        ended: Ended,
        sender: Arc<AtomicU64>,
    ) -> impl Stream<Item = AppendEntriesRequest<TypeConfig>> + Send {
        stream::unfold(requests, move |mut requests| {
            let (service, ended, sender) = (self.clone(), Arc::clone(&ended), Arc::clone(&sender));
            let guest = guest.clone();
            async move {
                // A broken connection ends the stream as the sender's end does: nobody is left to be told.
                let message = requests.message().await.ok()??;
                let from = message.from;
                sender.store(from, Ordering::Relaxed);
                service.vouch(&message, guest.as_ref());
                let checked = service.check_running().and_then(|()| service.check_alone());
                match checked.and_then(|()| service.append_request(message)) {
                    Ok(request) => Some((request, requests)),
                    Err(refusal) => {
                        *ended.lock() = Some((from, refusal));
                        None
                    }
                }
            }
        })
    }

    fn append_request(&self, message: Envelope) -> Result<AppendEntriesRequest<TypeConfig>, Refusal> {
        let body = self.accept(message, Kind::Append, "an append request")?;
        let mut request =
            encode::decode_append_request(body).map_err(|source| Refusal::Malformed { what: "append", source })?;
        self.handle.history.check_append(&self.handle.raft, &request).map_err(unavailable)?;
        pass_over_unknown_commit(&mut request);
        self.handle.contact.heard(request.vote.leader_id);
        Ok(request)
    }

    /// Whether a message is for this node, from one that can belong to the cluster.
    pub(super) fn check(&self, message: &Envelope) -> Result<(), Refusal> {
        let checked = self.identity.check(message).map_err(|refusal| self.succeeded(refusal));
        if let Err(Refusal::WrongDisk { .. } | Refusal::WrongNode { .. } | Refusal::Emptied { .. }) = checked {
            self.handle.removal.expected();
        }
        checked?;
        self.identity.check_levels(message, self.handle.levels.reached())
    }

    /// Raft is told nothing any more while it stops: whoever asks, asks another node.
    pub(super) fn check_running(&self) -> Result<(), Refusal> {
        if self.handle.stopping.is_cancelled() { Err(Refusal::Stopping) } else { Ok(()) }
    }

    /// Nor while another process with this directory is found: two would vote, and acknowledge, as one.
    pub(super) fn check_alone(&self) -> Result<(), Refusal> {
        if !self.handle.own_address.is_doubted() {
            return Ok(());
        }
        let node = self.identity.node;
        Err(unavailable(format!("another process runs with the data directory of node {node}, at its address")))
    }

    /// A node that was taken in in the place of another one hears what is meant for that one until it is forgotten. One
    /// without data hears what is meant for whoever was there, which need not be the number in its settings.
    fn succeeded(&self, refusal: Refusal) -> Refusal {
        let Refusal::WrongNode { named, own } = refusal else { return refusal };
        let RaftStatus { members, last_log, .. } = self.handle.status();
        if members.is_empty() && last_log.is_none() && !self.home.given {
            return Refusal::Emptied { named, own };
        }
        let is_former = match members.get(&named) {
            Some(former) => former.member.peer_endpoint == self.home.advertised.peer_endpoint,
            // It has a number, and does not know the members yet.
            None => members.is_empty() && self.home.given,
        };
        if is_former { Refusal::Succeeded { named, own } } else { Refusal::WrongNode { named, own } }
    }

    /// The content of a message that is for this node and of the right kind.
    pub(super) fn accept(&self, message: Envelope, kind: Kind, expected: &'static str) -> Result<Bytes, Refusal> {
        self.check(&message)?;
        if message.kind != i32::from(kind) {
            return Err(Refusal::WrongKind { found: message.kind, expected });
        }
        Ok(message.body)
    }

    pub(super) fn refuse(&self, to: u64, refusal: &Refusal) -> Envelope {
        // A peer that is refused tries again, many times a second; what is wrong is said now and then.
        let now = clock::now();
        let mut told_at = self.told_at.lock();
        if told_at.is_none_or(|told_at| now.duration_since(told_at) >= REFUSAL_TOLD_EVERY) {
            *told_at = Some(now);
            if *refusal == Refusal::Stopping {
                tracing::debug!(from = to, %refusal, "refused a message");
            } else if refusal.is_passing() {
                tracing::info!(from = to, %refusal, "refused a message");
            } else {
                tracing::warn!(from = to, %refusal, "refused a message");
            }
        }
        drop(told_at);
        self.identity.refuse(to, refusal)
    }
}
