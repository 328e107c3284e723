//! Answers kept for requests that carry an id, so that a retried one gets its first answer.
//!
//! Kept for `limits::REQUEST_KEPT_MS` of log time, refusals too. Forgetting is part of `apply`, a few at a time, so
//! that replicas agree on what is still known. A request whose answer does not fit is refused, rather than another
//! one's answer forgotten before its time.

use hashbrown::HashTable;

use crate::{
    DocumentAction, DocumentChange, Kick, KickTarget, Kicked, LogTime, OpenInstance, Publish, Rejection, Reply,
    RequestId, SendControl, Stage, StartRollout, State,
    config::sealed::around_sealed,
    digest::{Digest, Kind, Sum},
    limits,
    numbered::numbered,
    ring::Ring,
};

numbered! {
    /// What kind of request an answer is for.
    pub enum RequestKind {
        /// `Kick`
        Kick = 1,
        /// `OpenInstance`
        OpenInstance = 2,
        /// `Publish`
        Publish = 3,
        /// `SendControl`
        SendControl = 4,
        /// `StartRollout`
        StartRollout = 5,
    }
}

/// An answer kept for a request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Of the request.
    pub request: RequestId,
    /// What kind of thing it asked for.
    pub kind: RequestKind,
    /// A fingerprint of what it asked for in full: the same id on another request is a client's mistake, and must not
    /// be answered with the first one's success.
    pub asked: u64,
    /// When it was answered.
    pub answered_at: LogTime,
    /// The first answer.
    pub answer: Result<Reply, Rejection>,
}

impl KeptAnswer {
    fn digest(&self) -> u64 {
        Digest::of(Kind::Request)
            .bytes(&self.request.0)
            .number(u64::from(self.kind.number()))
            .number(self.asked)
            .number(self.answered_at.0)
            .answer(&self.answer)
            .finish()
    }

    /// As every node counts it.
    fn bytes(&self) -> usize {
        let names = match &self.answer {
            Ok(Reply::Kicked { job: _, kicked }) => kicked.iter().map(kicked_bytes).sum(),
            Err(Rejection::RevisionMismatch { path, .. } | Rejection::RollingOut { path, .. }) => path.len(),
            Ok(_) | Err(_) => 0,
        };
        limits::REQUEST_BYTES_FIXED + names
    }
}

fn kicked_bytes(Kicked { key, holder }: &Kicked) -> usize {
    limits::NOTICE_BYTES_FIXED + key.user.len() + key.slot.len() + holder.connection.len()
}

/// All kept answers, oldest first, and an index by id.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    ring: Ring<KeptAnswer>,
    index: HashTable<u64>,
    bytes: usize,
    sum: Sum,
}

impl Requests {
    pub(crate) fn sum(&self) -> u64 {
        self.sum.value()
    }

    pub(crate) fn ring(&self) -> &Ring<KeptAnswer> {
        &self.ring
    }

    fn find(&self, request: RequestId) -> Option<&KeptAnswer> {
        let is_it = |number: &u64| self.ring.get(*number).is_some_and(|kept| kept.request == request);
        self.ring.get(*self.index.find(spread(request), is_it)?)
    }

    fn is_full(&self) -> bool {
        self.ring.len() >= limits::REQUESTS_KEPT || self.bytes >= limits::REQUEST_BYTES_KEPT
    }

    pub(crate) fn keep(&mut self, kept: KeptAnswer) {
        let hash = spread(kept.request);
        self.bytes += kept.bytes();
        self.sum.add(kept.digest());
        let number = self.ring.push(kept);
        let ring = &self.ring;
        self.index.insert_unique(hash, number, |number| ring.get(*number).map_or(0, |kept| spread(kept.request)));
    }

    /// Drops some of those whose time is over.
    pub(crate) fn forget(&mut self, now: LogTime) {
        for _ in 0..limits::FORGET_SLICE {
            let Some((number, oldest)) = self.ring.oldest() else { return };
            if oldest.answered_at.0.saturating_add(limits::REQUEST_KEPT_MS) > now.0 {
                return;
            }
            if let Ok(entry) = self.index.find_entry(spread(oldest.request), |other| *other == number) {
                entry.remove();
            }
            self.bytes -= oldest.bytes();
            self.sum.subtract(oldest.digest());
            self.ring.pop();
        }
    }
}

/// Ids are random already, if the client is honest; if not, only its own cell gets long.
fn spread(request: RequestId) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&request.0)
}

impl State {
    /// What a request was answered, while that is kept; refusals too.
    #[must_use]
    pub fn answered(&self, request: RequestId) -> Option<&Result<Reply, Rejection>> {
        self.requests.find(request).map(|kept| &kept.answer)
    }

    /// Does what a request asks for, unless it was answered before.
    pub(crate) fn once(
        &mut self,
        request: Option<RequestId>,
        kind: RequestKind,
        asked: u64,
        act: impl FnOnce(&mut Self) -> Result<Reply, Rejection>,
    ) -> Result<Reply, Rejection> {
        let Some(request) = request else { return act(self) };
        if let Some(kept) = self.requests.find(request) {
            let is_retry = kept.kind == kind && kept.asked == asked;
            return if is_retry { kept.answer.clone() } else { Err(Rejection::RequestIdReused) };
        }
        if self.requests.is_full() {
            return Err(Rejection::Full { what: "request ids", limit: limits::REQUESTS_KEPT as u64 });
        }
        let answer = act(self);
        // Meant for the proposer, which judges anew and asks again under the same id.
        if matches!(answer, Err(Rejection::Moved { .. })) {
            return answer;
        }
        self.requests.keep(KeptAnswer { request, kind, asked, answered_at: self.clock.time, answer: answer.clone() });
        answer
    }
}

impl Kick {
    pub(crate) fn fingerprint(&self) -> u64 {
        let Self { target, reason, author, request: _ } = self;
        let digest = Digest::of(Kind::Request);
        let digest = match target {
            KickTarget::User { user, slot } => digest.number(1).bytes(user).optional_bytes(slot.as_deref()),
            KickTarget::Matching(selector) => digest.number(2).selector(selector),
        };
        digest.text(reason).text(author).finish()
    }
}

impl OpenInstance {
    pub(crate) fn fingerprint(&self) -> u64 {
        let Self {
            service,
            id,
            endpoints,
            zone,
            weight,
            labels,
            version,
            ttl_ms,
            former_state,
            flush_total,
            request: _,
        } = self;
        let digest = Digest::of(Kind::Request).text(service).text(id).text(zone).text(version);
        let digest = digest.optional(former_state.map(|state| state.0)).number(*flush_total);
        let digest = digest.number(u64::from(*weight)).number(u64::from(*ttl_ms)).number(endpoints.len() as u64);
        let digest = endpoints.iter().fold(digest, |digest, endpoint| digest.text(endpoint));
        labels.iter().fold(digest, |digest, (name, value)| digest.text(name).text(value)).finish()
    }
}

impl Publish {
    pub(crate) fn fingerprint(&self) -> u64 {
        let Self { changes, author, message, request: _, judged, forced } = self;
        let digest = Digest::of(Kind::Request).text(author).text(message);
        // What is not judged is from before anything was sealed.
        let each = if judged.is_empty() { DocumentChange::fingerprint } else { DocumentChange::judged_fingerprint };
        let digest = changes.iter().fold(digest, each);
        forced.iter().fold(digest, |digest, reason| digest.text(reason)).finish()
    }
}

impl StartRollout {
    pub(crate) fn fingerprint(&self) -> u64 {
        let Self { publish, stages, gates } = self;
        let digest = Digest::of(Kind::Request).number(publish.fingerprint()).number(stages.len() as u64);
        stages.iter().fold(digest, Stage::digest).number(gates.applied_bps.into()).finish()
    }
}

impl DocumentChange {
    /// What is sealed anew is the same secret.
    fn judged_fingerprint(digest: Digest, change: &Self) -> Digest {
        let Self { path, expected, action } = change;
        let DocumentAction::Put { format, text, value: _, policy: _ } = action else {
            return Self::fingerprint(digest, change);
        };
        let digest = digest.text(path).number(expected.map_or(u64::MAX, |revision| revision.0));
        around_sealed(text).fold(digest.number(u64::from(format.number())), Digest::bytes)
    }

    fn fingerprint(digest: Digest, change: &Self) -> Digest {
        let Self { path, expected, action } = change;
        let digest = digest.text(path).number(expected.map_or(u64::MAX, |revision| revision.0));
        match action {
            DocumentAction::Put { format, text, value: _, policy: _ } => {
                digest.number(u64::from(format.number())).bytes(text)
            }
            DocumentAction::Delete => digest.number(0),
        }
    }
}

impl SendControl {
    pub(crate) fn fingerprint(&self) -> u64 {
        let Self { service, id, action, argument, deadline_ms, author, request: _ } = self;
        let digest = Digest::of(Kind::Request).text(service).text(id).text(action).bytes(argument);
        digest.number(u64::from(*deadline_ms)).text(author).finish()
    }
}
