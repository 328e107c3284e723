//! Why a user is where it is: the facts this node still has, and what is now.
//!
//! A gateway's death is one log entry, which says nothing of its sessions until they are swept. So the closings that
//! the state remembers are put between the facts: a session was dropped when its gateway was, whoever was told when.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{
    Closing, ClosingCause, Epoch, LogTime, OfflineReason, Place, PresenceCursor, PresenceFact, PresenceSlice,
    PresenceWhat, State, TopicNames, limits as registry_limits,
};

use crate::limits::{EXPLAIN_FACTS_MAX, EXPLAIN_FACTS_READ};
use crate::problem::Problem;
use crate::rpc::from_proto;
use crate::rpc::presence::facts::Places;
use crate::rpc::presence::subscription::copied;
use crate::rpc::session::{SessionService, found_all};
use crate::rpc::to_proto::Owners;
use crate::view::{Consistency, View};

/// What the ring still has of a user.
#[derive(Debug, Default)]
struct Story {
    /// Pieces of the ring that hold the newest facts of the user, and how many each holds.
    pieces: VecDeque<(PresenceSlice, usize)>,
    facts: usize,
}

/// A registration that was live when the facts end, or when its gateway did.
#[derive(Debug, Clone)]
struct Registered {
    place: Arc<Place>,
    epoch: Epoch,
    connection: Bytes,
    /// It was told that its gateway closed.
    dropped: bool,
}

/// Answers from this node's ring, which is as fresh as a linearizable read.
pub(crate) async fn explain(
    service: &SessionService,
    request: wire::ExplainRequest,
) -> Result<wire::ExplainReply, Problem> {
    let wire::ExplainRequest { user, slot } = request;
    from_proto::check_user(|| "user".to_owned(), &user)?;
    from_proto::check_size(|| "slot".to_owned(), slot.as_deref().unwrap_or_default(), registry_limits::SLOT_BYTES_MAX)?;
    service.view.wait(Consistency::Linearizable).await?;
    let story = Story::read(&service.view, &user, slot.as_deref()).await;
    Ok(service.view.read(|state| {
        let mut owners = Owners::default();
        let mut present = found_all(state, &user, None, &mut owners);
        if let Some(slot) = &slot {
            let is_meant = |key: &Option<wire::SessionKey>| key.as_ref().is_some_and(|key| key.slot == *slot);
            present.sessions.retain(|session| is_meant(&session.key));
            present.formerly.retain(|former| former.session.as_ref().is_some_and(|session| is_meant(&session.key)));
        }
        let mut places = Places::default();
        let facts = story.told(state, &user, slot.as_deref(), &mut places);
        let since = since(state);
        wire::ExplainReply {
            revision: state.revision().0,
            since_revision: since.0.revision.0,
            since_ms: since.1.0,
            facts,
            places: places.finish(),
            present: Some(present),
            owners: owners.finish(),
        }
    }))
}

/// Where the ring of this node begins.
fn since(state: &State) -> (PresenceCursor, LogTime) {
    let ring = state.presence();
    let oldest = ring.read_after(ring.floor(), 1);
    let at = oldest.and_then(|slice| slice.iter().next().map(|fact| fact.at));
    (ring.floor(), at.unwrap_or_default())
}

impl Story {
    /// Reads the whole ring, piece by piece: pointers under the lock, facts outside of it.
    async fn read(view: &View, user: &[u8], slot: Option<&[u8]>) -> Self {
        let mut story = Self::default();
        let mut cursor = view.read(|state| state.presence().floor());
        loop {
            let piece = view.read(|state| {
                let ring = state.presence();
                ring.read_after(cursor, EXPLAIN_FACTS_READ).ok_or_else(|| ring.floor())
            });
            match piece {
                // The ring moved on meanwhile: what it forgot is not told.
                Err(floor) => cursor = floor,
                Ok(piece) => {
                    let Some(last) = piece.last() else { return story };
                    cursor = last;
                    story.add(piece, user, slot);
                    // A million facts are not looked at in one go.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    fn add(&mut self, piece: PresenceSlice, user: &[u8], slot: Option<&[u8]>) {
        let found = piece.of_user(user, slot).count();
        if found == 0 {
            return;
        }
        self.pieces.push_back((piece, found));
        self.facts += found;
        while let Some((_, oldest)) = self.pieces.front()
            && self.facts - oldest >= EXPLAIN_FACTS_MAX
        {
            self.facts -= oldest;
            self.pieces.pop_front();
        }
    }

    /// The newest facts, with the closings that dropped the sessions they tell of.
    fn told(&self, state: &State, user: &[u8], slot: Option<&[u8]>, places: &mut Places) -> Vec<wire::PresenceFact> {
        let mut told = Vec::new();
        let mut live: HashMap<Vec<u8>, Registered> = HashMap::new();
        let facts = self.pieces.iter().flat_map(|(piece, _)| piece.of_user(user, slot));
        for fact in facts.skip(self.facts.saturating_sub(EXPLAIN_FACTS_MAX)) {
            let mut dropped = false;
            if let Some(registered) = live.remove(fact.slot) {
                dropped = registered.dropped;
                if let Some(closing) = registered.closing(state, user, fact.slot, fact.cursor, places) {
                    told.push(closing);
                    dropped = true;
                }
            }
            told.push(places.fact(&fact, copied(fact.topics)));
            if let Some(registered) = Registered::after(&fact) {
                // A fact of some topics alone: that its gateway closed was told before the first of them.
                let dropped = dropped && matches!(fact.what, PresenceWhat::Offline(_));
                live.insert(fact.slot.to_vec(), Registered { dropped, ..registered });
            }
        }
        let mut rest: Vec<_> = live.into_iter().collect();
        rest.sort_unstable_by_key(|(_, registered)| registered.epoch);
        for (slot, registered) in rest {
            let now = PresenceCursor { revision: state.revision(), position: u32::MAX };
            told.extend(registered.closing(state, user, &slot, now, places));
        }
        // A closing stands with the fact behind it; other slots have theirs between.
        told.sort_by_key(|fact| fact.revision);
        told
    }
}

impl Registered {
    /// Who has the session after a fact; none when it ended there, or when the fact is about topics alone.
    fn after(fact: &PresenceFact<'_>) -> Option<Self> {
        match fact.what {
            PresenceWhat::Online | PresenceWhat::Moved(_) | PresenceWhat::Reconnected(_) => {}
            // It goes on, for those who do not look at that topic.
            PresenceWhat::Offline(_) if !fact.whole => {}
            PresenceWhat::Offline(_) | PresenceWhat::Dropped(_) => return None,
        }
        Some(Self {
            place: Arc::clone(fact.place),
            epoch: fact.epoch,
            connection: Bytes::copy_from_slice(fact.connection),
            dropped: false,
        })
    }

    /// That its gateway closed, if it did before `until`.
    fn closing(
        &self,
        state: &State,
        user: &[u8],
        slot: &[u8],
        until: PresenceCursor,
        places: &mut Places,
    ) -> Option<wire::PresenceFact> {
        if self.dropped {
            return None;
        }
        let closing = state.closing(self.place.incarnation).filter(|closing| closing.closed <= until.revision)?;
        let fact = PresenceFact {
            cursor: PresenceCursor { revision: closing.closed, position: 0 },
            at: closing.at,
            user,
            slot,
            epoch: self.epoch,
            place: &self.place,
            connection: &self.connection,
            whole: false,
            topics: TopicNames::NONE,
            what: PresenceWhat::Dropped(reason(closing)),
        };
        Some(places.fact(&fact, Vec::new()))
    }
}

const fn reason(closing: &Closing) -> OfflineReason<'static> {
    match closing.cause {
        ClosingCause::Closed => OfflineReason::GatewayClosed,
        ClosingCause::Expired => OfflineReason::GatewayExpired,
        ClosingCause::Replaced => OfflineReason::GatewayReplaced,
        ClosingCause::Restored => OfflineReason::Unconfirmed,
    }
}
