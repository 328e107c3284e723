//! Frames: session operations of one gateway, exactly once and in order.
//!
//! A frame is taken whole or not at all; within a taken one a bad operation is refused alone, and the rest proceeds.
//! Operations take effect in the order given, so a later one of the same key sees what an earlier one did.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    Event, Frame, NoticeCursor, OperationResult, Rejection, Reply, SessionOperation, Shortage, State, StateId, check,
    limits, session::OwnerId,
};

impl State {
    pub(crate) fn frame(
        &mut self,
        frame: &Frame,
        shortage: Option<Shortage>,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Rejection> {
        self.check_state(frame.state)?;
        let owner = self.open_id(frame.incarnation)?;
        check::size("operations", frame.operations.len(), limits::FRAME_OPERATIONS_MAX)?;
        if let Some(Err(answer)) = self.instances.open(owner).map(|owner| owner.frames.place(frame.sequence)) {
            return answer;
        }
        self.check_confirmed(frame.confirmed)?;
        check::range("flush_remaining", frame.flush_remaining.unwrap_or_default(), 0, limits::FLUSH_SESSIONS_MAX)?;
        self.warm_for(&frame.operations);
        let operate = |operation| match shortage {
            Some(shortage) if self.grows_by(operation) => refused(Rejection::Shortage(shortage)),
            Some(_) | None => self.operate(owner, operation),
        };
        let results: Arc<[_]> = frame.operations.iter().map(operate).collect();
        let revision = self.clock.revision;
        self.instances.change(owner, |owner| {
            Arc::make_mut(&mut owner.frames).keep(frame.sequence, revision, Arc::clone(&results));
            owner.confirmed = frame.confirmed.map_or(owner.confirmed, |cursor| owner.confirmed.max(cursor));
        });
        if let Some(remaining) = frame.flush_remaining {
            self.flush_proceeded(owner, remaining, events);
        }
        let displaced = results.iter().filter_map(|result| match result {
            OperationResult::Registered { displaced, .. } => displaced.as_ref().map(|holder| holder.incarnation),
            OperationResult::Done | OperationResult::Refused(_) => None,
        });
        let told: BTreeSet<_> = displaced.filter(|incarnation| *incarnation != frame.incarnation).collect();
        events.extend(told.into_iter().map(Event::Notice));
        Ok(Reply::Frame { revision, results })
    }

    /// As if the answers to frames were kept by whoever leads.
    #[cfg(feature = "planted")]
    pub(crate) fn forget_answers(&mut self) {
        for owner in self.instances.open_ids() {
            self.instances.change(owner, |owner| Arc::make_mut(&mut owner.frames).forget_answers());
        }
    }

    fn operate(&mut self, owner: OwnerId, operation: &SessionOperation) -> OperationResult {
        let result = match operation {
            SessionOperation::Register(register) => self.register(owner, register),
            SessionOperation::Unregister(unregister) => self.unregister(owner, unregister),
            SessionOperation::Bind(bind) => self.bind(owner, bind),
            SessionOperation::Unbind(unbind) => self.unbind(owner, unbind),
        };
        result.unwrap_or_else(refused)
    }

    /// Whether an operation adds to what the state holds. Taking over a key that is held already does not, beyond the
    /// bounds of one row: whoever changes gateways goes on. Nor does a claim of what was held before: it was there, and
    /// to refuse it would end the connection of a device that has done nothing.
    fn grows_by(&self, operation: &SessionOperation) -> bool {
        match operation {
            SessionOperation::Register(register) => {
                let is_held = || self.sessions.find(&register.key.user, &register.key.slot).is_some();
                register.flushed.is_none() && !is_held()
            }
            SessionOperation::Bind(_) => true,
            SessionOperation::Unregister(_) | SessionOperation::Unbind(_) => false,
        }
    }

    /// A notice that there never was cannot have been acted upon.
    fn check_confirmed(&self, confirmed: Option<NoticeCursor>) -> Result<(), Rejection> {
        let latest = self.notices.latest;
        match confirmed {
            Some(cursor) if cursor > latest => {
                let (actual, max) = (cursor.revision.0, latest.revision.0);
                Err(Rejection::OutOfRange { field: "confirmed", actual, min: 0, max })
            }
            _ => Ok(()),
        }
    }

    fn check_state(&self, given: StateId) -> Result<(), Rejection> {
        match self.clock.state {
            Some(present) if present != given => Err(Rejection::ForeignState { present }),
            _ => Ok(()),
        }
    }
}

fn refused(rejection: Rejection) -> OperationResult {
    OperationResult::Refused(Box::new(rejection))
}
