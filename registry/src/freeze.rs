//! A picture of the state that later changes do not touch.
//!
//! Taking it clones pointers: to blocks of sessions, pages of topics, chunks of rings, and one for each instance, path
//! and control. While it is held, the first write to something shared copies that part (a page, a block's pointers).
//! Giving it out drops each page as soon as it was visited, so that the copies a busy state must make end soon.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    FrameRecord, Header, Incarnation, InstanceRecord, KeptAnswer, NoticeCursor, Record, Revision, State,
    config::History,
    control::Control,
    instance::{Closing, Frames, Instance, KeptFrame, Owner},
    notice::Notice,
    ring::Ring,
    session::FrozenSessions,
};

/// A frozen state, to be given out once.
#[derive(Debug)]
pub struct Frozen {
    header: Header,
    /// By owner number, which is what the frozen sessions say.
    owners: Vec<Option<FrozenOwner>>,
    closings: Ring<Closing>,
    sessions: FrozenSessions,
    notices: Ring<Notice>,
    configs: BTreeMap<Arc<str>, Arc<History>>,
    controls: Vec<Arc<Control>>,
    answers: Ring<KeptAnswer>,
}

#[derive(Debug)]
struct FrozenOwner {
    instance: Arc<Instance>,
    closed: Option<Revision>,
    frames: Arc<Frames>,
    notices_floor: NoticeCursor,
}

impl State {
    /// Takes a picture; see [`Frozen`].
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        Frozen {
            header: self.header(),
            owners: self.instances.owners().map(|owner| owner.map(FrozenOwner::of)).collect(),
            closings: self.instances.closings().clone(),
            sessions: self.sessions.freeze(),
            notices: self.notices.ring().clone(),
            configs: self.configs.paths().clone(),
            controls: self.controls.by_number().values().cloned().collect(),
            answers: self.requests.ring().clone(),
        }
    }

    fn header(&self) -> Header {
        Header {
            state: self.clock.state,
            revision: self.clock.revision,
            time: self.clock.time,
            epochs: self.clock.epochs,
            last_incarnation: self.instances.last,
            closings_floor: self.instances.closings_floor(),
            latest_notice: self.notices.latest,
            configs_floor: self.configs.floor(),
            last_control: self.controls.last,
            sessions: self.sessions.stored(),
            hash: self.hash(),
        }
    }
}

impl Frozen {
    /// Counters, floors and hash, as of the moment it was taken.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives every record to `visit`, in the order of [`Record`]'s variants, until it fails.
    ///
    /// # Errors
    /// What `visit` answered.
    pub fn visit<E>(self, mut visit: impl FnMut(Record<'_>) -> Result<(), E>) -> Result<(), E> {
        visit(Record::Header(&self.header))?;
        for owner in self.owners.iter().flatten() {
            owner.visit(&mut visit)?;
        }
        for (_, closing) in self.closings.iter() {
            visit(Record::Closing(closing))?;
        }
        drop(self.closings);
        let incarnation = |owner: Option<FrozenOwner>| owner.map_or(Incarnation(0), |one| one.instance.incarnation);
        let incarnations: Vec<_> = self.owners.into_iter().map(incarnation).collect();
        self.sessions.visit(&incarnations, &mut visit)?;
        for (_, notice) in self.notices.iter() {
            visit(Record::Notice(notice))?;
        }
        drop(self.notices);
        for (_, history) in self.configs {
            history.oldest_first().try_for_each(|document| visit(Record::Document(document)))?;
        }
        for control in self.controls {
            visit(Record::Control(&control))?;
        }
        for (_, answer) in self.answers.iter() {
            visit(Record::Answer(answer))?;
        }
        Ok(())
    }
}

impl FrozenOwner {
    fn of(owner: &Owner) -> Self {
        Self {
            instance: Arc::clone(&owner.instance),
            closed: owner.closed,
            frames: Arc::clone(&owner.frames),
            notices_floor: owner.notices_floor,
        }
    }

    fn visit<E>(&self, visit: &mut impl FnMut(Record<'_>) -> Result<(), E>) -> Result<(), E> {
        visit(Record::Instance(InstanceRecord {
            instance: &self.instance,
            closed: self.closed,
            last_sequence: self.frames.last(),
            notices_floor: self.notices_floor,
        }))?;
        for KeptFrame { sequence, revision, results, .. } in self.frames.kept() {
            let (incarnation, sequence, revision) = (self.instance.incarnation, *sequence, *revision);
            visit(Record::Frame(FrameRecord { incarnation, sequence, revision, results }))?;
        }
        Ok(())
    }
}
