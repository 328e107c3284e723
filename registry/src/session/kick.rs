//! Ending sessions from outside.
//!
//! Done at once for the registry: the sessions no longer answer. The gateways that hold the connections are told by
//! notices. A user's sessions are few, and end in the entry that asks for it; what a selector matches may be millions,
//! and becomes a job (see `kick_job`, `kick_step`).

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::{
    RowId,
    kick_job::{KickGateway, KickJob},
};
use crate::{
    Event, Incarnation, Kick, KickTarget, Kicked, OfflineReason, Rejection, Reply, SessionSelector, State, check,
    limits,
    notice::{NoticeCause, NoticeFact},
};

impl State {
    pub(crate) fn kick(&mut self, kick: &Kick, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        check::reason(&kick.reason)?;
        check::author(&kick.author)?;
        match &kick.target {
            KickTarget::User { user, slot } => self.kick_user(kick, user, slot.as_deref(), events),
            KickTarget::Matching(selector) => self.begin_kick(kick, selector, events),
        }
    }

    fn kick_user(
        &mut self,
        kick: &Kick,
        user: &[u8],
        slot: Option<&[u8]>,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        check::bytes("user", user, limits::USER_BYTES_MAX)?;
        check::size("slot", slot.map_or(0, <[u8]>::len), limits::SLOT_BYTES_MAX)?;
        let found = self.kicked_by(user, slot);
        if found.is_empty() {
            return Err(Rejection::NotFound { what: "session" });
        }
        let target = KickTarget::User { user: Bytes::copy_from_slice(user), slot: slot.map(Bytes::copy_from_slice) };
        let mut job = self.kick_job_of(kick, target, None)?;
        job.finished_at = Some(self.clock.time);
        job.closed = found.len() as u64;
        job.gateways = self.end_by_kick(&found, &job.reason, &job.author, events);
        let number = job.number;
        self.kicks.insert(Arc::new(job));
        self.kicks.trim();
        Ok(Reply::Kicked { job: number, kicked: found.into_iter().map(|(_, kicked)| kicked).collect() })
    }

    fn begin_kick(
        &mut self,
        kick: &Kick,
        selector: &SessionSelector,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        selector.check()?;
        if selector.is_everything() {
            return Err(Rejection::BadName { field: "selector" });
        }
        if self.kicks.under_way() >= limits::KICKS_UNDER_WAY_MAX {
            return Err(Rejection::Full { what: "kicks under way", limit: limits::KICKS_UNDER_WAY_MAX as u64 });
        }
        let incarnation = match &selector.instance {
            None => None,
            Some((service, id)) => {
                let (_, owner) = self.instances.named(service, id).ok_or(Rejection::NotFound { what: "instance" })?;
                Some(owner.instance.incarnation)
            }
        };
        let job = self.kick_job_of(kick, KickTarget::Matching(copied(selector)), incarnation)?;
        let number = job.number;
        self.kicks.insert(Arc::new(job));
        self.kicks.trim();
        events.push(Event::Kick);
        Ok(Reply::Kicked { job: number, kicked: Vec::new() })
    }

    /// Nothing done yet.
    fn kick_job_of(
        &mut self,
        kick: &Kick,
        target: KickTarget,
        incarnation: Option<Incarnation>,
    ) -> Result<KickJob, Rejection> {
        let next = self.kicks.last.checked_add(1).ok_or(Rejection::Full { what: "kicks", limit: u64::MAX })?;
        let number = self.clock.revision.0.max(next);
        self.kicks.last = number;
        Ok(KickJob {
            number,
            target,
            reason: kick.reason.as_str().into(),
            author: kick.author.as_str().into(),
            before: self.clock.upcoming_epoch(),
            started_at: self.clock.time,
            finished_at: None,
            incarnation,
            position: None,
            closed: 0,
            gateways: BTreeMap::new(),
        })
    }

    /// Sorted by slot.
    fn kicked_by(&self, user: &[u8], slot: Option<&[u8]>) -> Vec<(RowId, Kicked)> {
        let mut found: Vec<_> = self
            .sessions
            .of_user(user)
            .filter(|(_, entry)| slot.is_none_or(|slot| entry.slot() == slot))
            .filter_map(|(row, entry)| Some((row, self.kicked(entry)?)))
            .collect();
        found.sort_unstable_by(|(_, a), (_, b)| a.key.slot.cmp(&b.key.slot));
        found
    }

    /// The session, if it is live.
    pub(super) fn kicked(&self, entry: super::Entry<'_>) -> Option<Kicked> {
        let view = self.sessions.view(&self.instances, entry)?;
        Some(Kicked { key: view.key(), holder: view.holder() })
    }

    /// Ends live sessions in this order, and says what that came to for each gateway.
    pub(super) fn end_by_kick(
        &mut self,
        ended: &[(RowId, Kicked)],
        reason: &Arc<str>,
        author: &Arc<str>,
        events: &mut Vec<Event>,
    ) -> BTreeMap<Incarnation, KickGateway> {
        let mut gateways: BTreeMap<Incarnation, KickGateway> = BTreeMap::new();
        for (row, Kicked { key, holder }) in ended {
            let Some(owner) = self.instances.id(holder.incarnation) else { continue };
            let cause = NoticeCause::Kicked { reason: Arc::clone(reason), author: Arc::clone(author) };
            let notice =
                self.notices.push(&mut self.instances, &self.clock, owner, NoticeFact::new(key, holder, cause));
            self.end_session(*row, OfflineReason::Kicked { reason, author });
            let gateway = gateways.entry(holder.incarnation).or_insert_with(|| KickGateway {
                service: Arc::clone(&holder.service),
                id: Arc::clone(&holder.instance),
                closed: 0,
                notice,
            });
            gateway.closed += 1;
            gateway.notice = notice;
        }
        events.extend(gateways.keys().copied().map(Event::Notice));
        gateways
    }
}

/// A command's bytes may be a slice of a large buffer.
fn copied(selector: &SessionSelector) -> SessionSelector {
    let SessionSelector { topic, instance, user_prefix, slot } = selector;
    let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
    SessionSelector {
        topic: topic.as_ref().map(copy),
        instance: instance.clone(),
        user_prefix: copy(user_prefix),
        slot: slot.as_ref().map(copy),
    }
}
