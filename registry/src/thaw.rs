//! Rebuilding a state from records.
//!
//! Indexes, lists and counts are computed anew, and the hash with them, so that what comes out is held against the hash
//! of what was frozen. Records come from a checksummed file, so an error here is a defect or a foreign file; every one
//! is found before the state can serve.

use std::{collections::BTreeMap, sync::Arc};

use smallvec::SmallVec;

use crate::{
    FrameRecord, Graces, Header, Incarnation, InstanceRecord, LingerRecord, OfflineReason, Place, PresenceFact,
    PresenceLimits, PresenceWhat, Rebuild, RebuildGateway, Record, Rejection, SessionRecord, State, check,
    control::{AnswerState, Control},
    instance::{Closed, Frames, Owner},
    limits,
    session::{Content, OwnerId, Sessions, TopicId, Unindexed},
};

/// Why records do not make a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ThawError {
    /// A record before the header.
    #[error("the snapshot does not begin with its header")]
    NoHeader,
    /// A second header.
    #[error("the snapshot has two headers")]
    RepeatedHeader,
    /// The same incarnation, topic or session twice.
    #[error("the snapshot has the same {0} twice")]
    Repeated(&'static str),
    /// A record that hangs on another one that did not come.
    #[error("the snapshot names {0} that it does not hold")]
    Unknown(&'static str),
    /// Something over its limit.
    #[error("the snapshot holds {0} over its limit")]
    TooLarge(&'static str),
    /// What came out is not what was frozen.
    #[error("the snapshot's hash is {expected:016x}, but its records make {found:016x}")]
    HashDiffers {
        /// Of the header.
        expected: u64,
        /// Of the records.
        found: u64,
    },
}

/// A state in the making.
#[derive(Debug, Default)]
pub struct Thawing {
    pub(crate) state: State,
    header: Option<Header>,
    owners: BTreeMap<Incarnation, OwnerId>,
    topics: BTreeMap<u32, TopicId>,
    unindexed: Unindexed,
    graces: BTreeMap<u32, Arc<Graces>>,
    places: BTreeMap<Incarnation, Arc<Place>>,
}

impl Thawing {
    /// Nothing yet.
    #[must_use]
    pub fn new(presence: PresenceLimits) -> Self {
        Self { state: State::new(presence), graces: BTreeMap::from([(0, Arc::default())]), ..Self::default() }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// The record does not fit those before it; the whole is of no use then.
    pub fn push(&mut self, record: Record<'_>) -> Result<(), ThawError> {
        if self.header.is_none() && !matches!(record, Record::Header(_)) {
            return Err(ThawError::NoHeader);
        }
        let State { instances, notices, configs, requests, .. } = &mut self.state;
        match record {
            Record::Header(header) => self.header(header)?,
            Record::Cluster(cluster) => self.state.cluster = cluster.clone(),
            Record::Policy(policy) => self.state.enforce(Arc::clone(policy)),
            Record::History(policy) => configs.retain_by(Arc::clone(policy)),
            Record::Graces(graces) => self.graces(graces)?,
            Record::Instance(record) => self.instance(record)?,
            Record::Nodes(nodes) => self.state.nodes = nodes,
            Record::Rebuild(gateway) => self.rebuild_gateway(gateway)?,
            Record::Frame(record) => self.frame(record)?,
            Record::Closing(closing) => instances.push_closing(closing.clone()),
            Record::Linger(record) => self.linger(record)?,
            Record::Topic(number, name) => self.topic(number, name)?,
            Record::Session(record) => self.session(record)?,
            Record::Notice(notice) => notices.append(instances, notice.clone()),
            Record::Presence(fact) => self.fact(&fact)?,
            Record::Kick(job) => self.state.kicks.insert(Arc::clone(job)),
            Record::Schema(schema) => self.schema(schema)?,
            Record::Readers(path, changed) => self.readers(path, changed)?,
            Record::Announcement(record) => self.announcement(&record)?,
            Record::Rollouts(last, floor) => {
                (self.state.rollouts.last, self.state.rollouts.floor) = (last, floor);
            }
            Record::Rollout(rollout) => self.state.restore_rollout(rollout)?,
            Record::Document(document) => configs.push(Arc::clone(document)),
            Record::Control(control) => {
                self.waiting(control);
                self.state.controls.insert(Arc::clone(control));
            }
            Record::Answer(answer) => requests.keep(answer.clone()),
        }
        Ok(())
    }

    /// The state, if it is the one that was frozen.
    ///
    /// # Errors
    /// Records are missing, or differ from what was frozen.
    pub fn finish(self) -> Result<State, ThawError> {
        let Self { mut state, header, owners, topics, mut unindexed, .. } = self;
        let header = header.ok_or(ThawError::NoHeader)?;
        if !state.sessions.index(&mut unindexed) {
            return Err(ThawError::Repeated("session"));
        }
        for topic in topics.into_values() {
            state.sessions.release(topic);
        }
        for owner in owners.into_values() {
            state.sessions.sort(&mut state.instances, owner);
            state.instances.await_sweep(owner);
        }
        state.sessions.sort_lingering();
        state.instances.bound(&state.policies.current);
        let (expected, found) = (header.hash, state.hash());
        if expected == found { Ok(state) } else { Err(ThawError::HashDiffers { expected, found }) }
    }

    fn header(&mut self, header: &Header) -> Result<(), ThawError> {
        if self.header.is_some() {
            return Err(ThawError::RepeatedHeader);
        }
        let state = &mut self.state;
        state.clock.state = header.state;
        state.clock.revision = header.revision;
        state.clock.time = header.time;
        state.clock.epochs = header.epochs;
        state.instances.last = header.last_incarnation;
        state.instances.set_closings_floor(header.closings_floor);
        state.notices.latest = header.latest_notice;
        state.presence.resume(header.presence_floor);
        state.configs.set_floor(header.configs_floor);
        state.controls.last = header.last_control;
        state.kicks.last = header.last_kick;
        state.rebuild = header.rebuild.map(|rebuild| Rebuild::new(rebuild.since, rebuild.ttl_ms_max));
        state.sessions = Sessions::seeded(header.seed);
        self.unindexed = Unindexed::expecting(header.sessions);
        self.header = Some(*header);
        Ok(())
    }

    fn instance(&mut self, record: InstanceRecord<'_>) -> Result<(), ThawError> {
        let incarnation = record.instance.incarnation;
        if self.owners.contains_key(&incarnation) {
            return Err(ThawError::Repeated("incarnation"));
        }
        let mut owner = Owner::new(Arc::clone(record.instance));
        if let Some(closed) = &record.closed {
            let graces = self.graces.get(&closed.graces).ok_or(ThawError::Unknown("graces"))?;
            owner.closed = Some(Closed::of(closed, Arc::clone(graces)));
        }
        owner.frames = Arc::new(Frames::after(record.last_sequence));
        owner.notices_floor = record.notices_floor;
        owner.confirmed = record.confirmed;
        self.places.insert(incarnation, Arc::clone(&owner.place));
        self.owners.insert(incarnation, self.state.instances.insert(owner));
        Ok(())
    }

    fn graces(&mut self, graces: &Arc<Graces>) -> Result<(), ThawError> {
        if self.header.is_some_and(|header| header.graces == graces.number) {
            self.state.policies.graces = Arc::clone(graces);
        }
        match self.graces.insert(graces.number, Arc::clone(graces)) {
            None => Ok(()),
            Some(_) => Err(ThawError::Repeated("graces")),
        }
    }

    fn linger(&mut self, record: LingerRecord<'_>) -> Result<(), ThawError> {
        let graces = self.graces.get(&record.graces).ok_or(ThawError::Unknown("graces"))?;
        let is_new = self.state.sessions.restore_passes(graces, record.passes);
        if is_new { Ok(()) } else { Err(ThawError::Repeated("a list of those that linger")) }
    }

    fn fact(&mut self, fact: &PresenceFact<'_>) -> Result<(), ThawError> {
        check_fact(fact).map_err(|_| ThawError::TooLarge("a presence fact"))?;
        let place = self.place(fact.place);
        let former = fact.what.former().map(|former| self.place(former.place));
        let what = former.as_ref().map_or(fact.what, |former| fact.what.with_former(former));
        self.state.presence.push(&PresenceFact { place: &place, what, ..*fact });
        Ok(())
    }

    /// Facts of one place share its name.
    fn place(&mut self, place: &Arc<Place>) -> Arc<Place> {
        Arc::clone(self.places.entry(place.incarnation).or_insert_with(|| Arc::clone(place)))
    }

    fn rebuild_gateway(&mut self, gateway: &RebuildGateway) -> Result<(), ThawError> {
        let rebuild = self.state.rebuild.as_mut().ok_or(ThawError::Unknown("a rebuild"))?;
        if rebuild.put(gateway.clone()) { Ok(()) } else { Err(ThawError::TooLarge("a rebuild")) }
    }

    fn frame(&mut self, record: FrameRecord<'_>) -> Result<(), ThawError> {
        let owner = *self.owners.get(&record.incarnation).ok_or(ThawError::Unknown("an incarnation"))?;
        self.state.instances.change(owner, |owner| {
            Arc::make_mut(&mut owner.frames).restore(record.sequence, record.revision, Arc::clone(record.results));
        });
        Ok(())
    }

    fn topic(&mut self, number: u32, name: &[u8]) -> Result<(), ThawError> {
        check::bytes("topic", name, limits::TOPIC_BYTES_MAX).map_err(|_| ThawError::TooLarge("a topic"))?;
        let topic = self.state.sessions.acquire(name);
        match self.topics.insert(number, topic) {
            None => Ok(()),
            Some(_) => Err(ThawError::Repeated("topic")),
        }
    }

    fn session(&mut self, record: SessionRecord<'_>) -> Result<(), ThawError> {
        check_session(&record)?;
        if record.dropped.is_some_and(|dropped| !self.state.sessions.lingers_by(dropped.graces)) {
            return Err(ThawError::Unknown("graces"));
        }
        let owner = *self.owners.get(&record.incarnation).ok_or(ThawError::Unknown("an incarnation"))?;
        let mut topics = SmallVec::<[TopicId; limits::TOPICS_PER_SESSION_MAX]>::new();
        for number in record.topics {
            let topic = *self.topics.get(number).ok_or(ThawError::Unknown("a topic"))?;
            self.state.sessions.acquire_again(topic);
            topics.push(topic);
        }
        let content = Content {
            owner,
            epoch: record.epoch,
            registered_at: record.registered_at,
            user: record.user,
            slot: record.slot,
            connection: record.connection,
            attributes: record.attributes,
            conn_seq: record.conn_seq,
            flushed: record.flushed,
            dropped: record.dropped,
            topics: &topics,
        };
        let is_new = self.state.sessions.restore(&mut self.state.instances, &mut self.unindexed, &content);
        if is_new { Ok(()) } else { Err(ThawError::Repeated("session")) }
    }

    /// The open incarnations that have not answered a control wait for it.
    fn waiting(&mut self, control: &Control) {
        let waiting = control.answers.iter().filter(|answer| answer.state == AnswerState::Waiting);
        for answer in waiting {
            let owner = self.state.instances.id(answer.incarnation);
            if let Some(owner) = owner.and_then(|owner| self.state.instances.owner_mut(owner)) {
                owner.controls.push(control.number);
            }
        }
    }
}

fn check_session(record: &SessionRecord<'_>) -> Result<(), ThawError> {
    let fits = check::bytes("user", record.user, limits::USER_BYTES_MAX)
        .and_then(|()| check::size("slot", record.slot.len(), limits::SLOT_BYTES_MAX))
        .and_then(|()| check::size("connection", record.connection.len(), limits::CONNECTION_BYTES_MAX))
        .and_then(|()| check::size("attributes", record.attributes.len(), limits::ATTRIBUTES_BYTES_MAX))
        .and_then(|()| check::size("topics", record.topics.len(), limits::TOPICS_PER_SESSION_MAX));
    fits.map_err(|_| ThawError::TooLarge("a session"))
}

fn check_fact(fact: &PresenceFact<'_>) -> Result<(), Rejection> {
    // Only the end of an incarnation is about nobody in particular.
    if !matches!(fact.what, PresenceWhat::Dropped(_)) || !fact.user.is_empty() {
        check::bytes("user", fact.user, limits::USER_BYTES_MAX)?;
    }
    check::size("slot", fact.slot.len(), limits::SLOT_BYTES_MAX)?;
    check::size("connection", fact.connection.len(), limits::CONNECTION_BYTES_MAX)?;
    check::size("topics", fact.topics.iter().count(), limits::TOPICS_PER_SESSION_MAX)?;
    fact.topics.iter().try_for_each(|name| check::bytes("topic", name, limits::TOPIC_BYTES_MAX))?;
    if let Some(former) = fact.what.former() {
        check::size("connection", former.connection.len(), limits::CONNECTION_BYTES_MAX)?;
    }
    if let PresenceWhat::Offline(OfflineReason::Kicked { reason, author }) = fact.what {
        check::reason(reason)?;
        check::author(author)?;
    }
    Ok(())
}
