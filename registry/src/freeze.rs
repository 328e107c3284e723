//! A picture of the state that later changes do not touch.
//!
//! Taking it clones pointers: to blocks of sessions, pages of topics, chunks of rings, and one for each instance, path
//! and control. While it is held, the first write to something shared copies that part (a page, a block's pointers).
//! Giving it out drops each page as soon as it was visited, so that the copies a busy state must make end soon.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Cluster, FrameRecord, Graces, Header, HistoryPolicy, Incarnation, InstanceRecord, KeptAnswer, KickJob, Level,
    Nodes, NoticeCursor, PresenceCursor, PresenceRing, Rebuild, Record, Revision, Rollout, SessionPolicy, State,
    config::History,
    consumer::FrozenConsumers,
    control::Control,
    instance::{Closed, Closing, Frames, Instance, KeptFrame, Owner},
    notice::Notice,
    ring::Ring,
    session::FrozenSessions,
};

/// A frozen state, to be given out once.
#[derive(Debug)]
pub struct Frozen {
    header: Header,
    cluster: Cluster,
    policy: Arc<SessionPolicy>,
    history: Arc<HistoryPolicy>,
    consumers: FrozenConsumers,
    rollouts: Vec<Arc<Rollout>>,
    rollouts_last: (u64, Revision),
    graces: Arc<Graces>,
    /// By owner number, which is what the frozen sessions say.
    owners: Vec<Option<FrozenOwner>>,
    closings: Ring<Closing>,
    sessions: FrozenSessions,
    notices: Ring<Notice>,
    presence: PresenceRing,
    configs: BTreeMap<Arc<str>, Arc<History>>,
    controls: Vec<Arc<Control>>,
    kicks: BTreeMap<u64, Arc<KickJob>>,
    rebuild: Option<Rebuild>,
    nodes: Nodes,
    answers: Ring<KeptAnswer>,
}

#[derive(Debug)]
struct FrozenOwner {
    instance: Arc<Instance>,
    closed: Option<Closed>,
    frames: Arc<Frames>,
    notices_floor: NoticeCursor,
    confirmed: NoticeCursor,
}

impl State {
    /// Takes a picture; see [`Frozen`].
    #[must_use]
    pub fn freeze(&self) -> Frozen {
        let presence = self.presence.tail();
        Frozen {
            header: self.header(presence.floor()),
            cluster: self.cluster.clone(),
            policy: Arc::clone(&self.policies.current),
            history: Arc::clone(self.history_policy()),
            consumers: self.consumers.freeze(),
            rollouts: self.rollouts.iter().cloned().collect(),
            rollouts_last: (self.rollouts.last, self.rollouts.floor),
            graces: Arc::clone(&self.policies.graces),
            owners: self.instances.owners().map(|owner| owner.map(FrozenOwner::of)).collect(),
            closings: self.instances.closings().clone(),
            sessions: self.sessions.freeze(),
            notices: self.notices.ring().clone(),
            presence,
            configs: self.configs.paths().clone(),
            controls: self.controls.by_number().values().cloned().collect(),
            answers: self.requests.ring().clone(),
            kicks: self.kicks.jobs().clone(),
            rebuild: self.rebuild.clone(),
            nodes: self.nodes,
        }
    }

    fn header(&self, presence_floor: PresenceCursor) -> Header {
        Header {
            state: self.clock.state,
            revision: self.clock.revision,
            time: self.clock.time,
            epochs: self.clock.epochs,
            last_incarnation: self.instances.last,
            closings_floor: self.instances.closings_floor(),
            latest_notice: self.notices.latest,
            latest_presence: self.presence.latest(),
            presence_floor,
            graces: self.policies.graces.number,
            configs_floor: self.configs.floor(),
            last_control: self.controls.last,
            last_kick: self.kicks.last,
            seed: self.sessions.seed(),
            rebuild: self.rebuild.as_ref().map(Rebuild::header),
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

    /// The cluster's feature level: what its records may be.
    #[must_use]
    pub fn level(&self) -> Level {
        self.cluster.level()
    }

    /// Gives every record to `visit`, in the order of [`Record`]'s variants, until it fails.
    ///
    /// # Errors
    /// What `visit` answered.
    pub fn visit<E>(self, mut visit: impl FnMut(Record<'_>) -> Result<(), E>) -> Result<(), E> {
        visit(Record::Header(&self.header))?;
        if self.cluster != Cluster::default() {
            visit(Record::Cluster(&self.cluster))?;
        }
        if *self.policy != SessionPolicy::default() {
            visit(Record::Policy(&self.policy))?;
        }
        if *self.history != HistoryPolicy::default() {
            visit(Record::History(&self.history))?;
        }
        self.all_graces().values().map(Record::Graces).try_for_each(&mut visit)?;
        for owner in self.owners.iter().flatten() {
            owner.visit(&mut visit)?;
        }
        if self.nodes != Nodes::default() {
            visit(Record::Nodes(self.nodes))?;
        }
        let gateways = self.rebuild.iter().flat_map(Rebuild::gateways);
        gateways.map(Record::Rebuild).try_for_each(&mut visit)?;
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
        self.presence.read_all().iter().map(Record::Presence).try_for_each(&mut visit)?;
        drop(self.presence);
        for job in self.kicks.values() {
            visit(Record::Kick(job))?;
        }
        self.consumers.visit(&mut visit)?;
        if self.rollouts_last != Default::default() {
            visit(Record::Rollouts(self.rollouts_last.0, self.rollouts_last.1))?;
        }
        for rollout in self.rollouts {
            visit(Record::Rollout(&rollout))?;
        }
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

impl Frozen {
    /// By number; the first one, without any grace, goes without saying.
    fn all_graces(&self) -> BTreeMap<u32, Arc<Graces>> {
        let closed = self.owners.iter().flatten().filter_map(|owner| owner.closed.as_ref());
        let all = closed.map(|closed| &closed.graces).chain(self.sessions.graces()).chain([&self.graces]);
        all.filter(|graces| graces.number > 0).map(|graces| (graces.number, Arc::clone(graces))).collect()
    }
}

impl FrozenOwner {
    fn of(owner: &Owner) -> Self {
        Self {
            instance: Arc::clone(&owner.instance),
            closed: owner.closed.clone(),
            frames: Arc::clone(&owner.frames),
            notices_floor: owner.notices_floor,
            confirmed: owner.confirmed,
        }
    }

    fn visit<E>(&self, visit: &mut impl FnMut(Record<'_>) -> Result<(), E>) -> Result<(), E> {
        visit(Record::Instance(InstanceRecord {
            instance: &self.instance,
            closed: self.closed.as_ref().map(Closed::record),
            last_sequence: self.frames.last(),
            notices_floor: self.notices_floor,
            confirmed: self.confirmed,
        }))?;
        for KeptFrame { sequence, revision, results, .. } in self.frames.kept() {
            let (incarnation, sequence, revision) = (self.instance.incarnation, *sequence, *revision);
            visit(Record::Frame(FrameRecord { incarnation, sequence, revision, results }))?;
        }
        Ok(())
    }
}
