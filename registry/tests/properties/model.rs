//! Sessions, instances and configs in ordered maps: slow, obvious, and without any of the machinery under test.
//!
//! The model is told the outcome and checks the decision: which operations are taken, the epochs they get, and what
//! they displace. It knows no retries: a frame that is answered from memory is recognised by its number.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use bytes::Bytes;
use keeper_registry::{
    BindTopics, Command, DocumentAction, Epoch, Frame, Incarnation, Kick, KickTarget, Kicked, OperationResult, Outcome,
    Policy, Publish, Register, Reply, RequestId, Revision, SessionKey, SessionOperation, SessionPolicy,
    SessionSelector, Stamp, State, limits,
};

#[derive(Debug, Clone, PartialEq, Eq)]
struct Session {
    incarnation: Incarnation,
    epoch: Epoch,
    connection: Bytes,
    conn_seq: Option<u64>,
    topics: Vec<Bytes>,
    attributes: Bytes,
    flushed: Option<Epoch>,
}

/// A kick by selector.
#[derive(Debug)]
struct Job {
    number: u64,
    selector: SessionSelector,
    before: Epoch,
    incarnation: Option<Incarnation>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    sessions: BTreeMap<SessionKey, Session>,
    instances: BTreeMap<(String, String), Incarnation>,
    sequences: BTreeMap<Incarnation, u64>,
    documents: BTreeMap<String, (Bytes, Revision)>,
    answered: BTreeMap<RequestId, u64>,
    epochs: (Revision, u32),
    kicks: Vec<Job>,
    policy: SessionPolicy,
}

impl Model {
    pub(crate) fn apply(&mut self, at: Stamp, command: &Command, outcome: &Outcome) {
        let is_first = self.is_first(request(command), at);
        match (command, &outcome.reply) {
            (Command::Frame(frame), Ok(Reply::Frame { results, .. })) => self.frame(at, frame, results),
            (Command::Kick(kick), Ok(Reply::Kicked { job, kicked })) if is_first => self.kick(at, kick, *job, kicked),
            (Command::KickStep, Ok(Reply::KickStepped { closed, more })) => self.kick_step(*closed, *more),
            (Command::Restore(_), Ok(_)) => {
                self.sessions.clear();
                self.instances.clear();
                self.sequences.clear();
            }
            (Command::OpenInstance(open), Ok(Reply::Opened { incarnation })) if is_first => {
                if let Some(former) = self.instances.insert((open.service.clone(), open.id.clone()), *incarnation) {
                    self.close(former);
                }
                self.sequences.insert(*incarnation, 0);
            }
            (Command::CloseInstance(close), Ok(_)) => self.close(close.incarnation),
            (Command::Expire(incarnation), Ok(_)) => self.close(*incarnation),
            (Command::Publish(publish), Ok(Reply::Published { changed, .. })) if is_first => {
                self.publish(at, publish, *changed);
            }
            _ => {}
        }
    }

    fn kick(&mut self, at: Stamp, kick: &Kick, number: u64, kicked: &[Kicked]) {
        match &kick.target {
            KickTarget::User { user, slot } => {
                let is_meant =
                    |key: &SessionKey| key.user == *user && slot.as_ref().is_none_or(|slot| *slot == key.slot);
                let meant: Vec<_> = self.sessions.keys().filter(|key| is_meant(key)).cloned().collect();
                assert_eq!(meant, kicked.iter().map(|one| one.key.clone()).collect::<Vec<_>>());
                self.sessions.retain(|key, _| !is_meant(key));
            }
            KickTarget::Matching(selector) => {
                let before = self.upcoming_epoch(at);
                let incarnation = selector.instance.as_ref().and_then(|name| self.instances.get(name)).copied();
                self.kicks.push(Job { number, selector: selector.clone(), before, incarnation });
            }
        }
    }

    /// There are never so many sessions that a kick takes two steps.
    fn kick_step(&mut self, closed: u32, more: bool) {
        if self.kicks.is_empty() {
            assert_eq!((closed, more), (0, false));
            return;
        }
        let job = self.kicks.remove(0);
        let before = self.sessions.len();
        self.sessions.retain(|key, session| !job.is_about(key, session));
        assert_eq!((before - self.sessions.len(), !self.kicks.is_empty()), (closed as usize, more));
    }

    /// Whether a request is done now, or was answered within the last ten minutes.
    fn is_first(&mut self, request: Option<RequestId>, at: Stamp) -> bool {
        let Some(request) = request else { return true };
        self.answered.retain(|_, time| *time + limits::REQUEST_KEPT_MS > at.time.0);
        if self.answered.contains_key(&request) {
            return false;
        }
        self.answered.insert(request, at.time.0);
        true
    }

    fn close(&mut self, incarnation: Incarnation) {
        self.instances.retain(|_, open| *open != incarnation);
        self.sequences.remove(&incarnation);
        self.sessions.retain(|_, session| session.incarnation != incarnation);
    }

    fn frame(&mut self, at: Stamp, frame: &Frame, results: &[OperationResult]) {
        let last = self.sequences.get_mut(&frame.incarnation).unwrap_or_else(|| panic!("a closed incarnation's frame"));
        if frame.sequence <= *last {
            return;
        }
        *last = frame.sequence;
        assert_eq!(results.len(), frame.operations.len());
        for (operation, result) in frame.operations.iter().zip(results) {
            let taken = self.operate(at, frame.incarnation, operation);
            match (taken, result) {
                (Some((epoch, displaced)), OperationResult::Registered { epoch: given, displaced: said }) => {
                    assert_eq!(epoch, *given);
                    assert_eq!(displaced, said.as_ref().map(|holder| holder.epoch));
                }
                (Some(_), OperationResult::Done) => {
                    assert!(!matches!(operation, SessionOperation::Register(_)), "a register is not just done");
                }
                (None, OperationResult::Refused(_)) => {}
                (taken, result) => panic!("{operation:?}: the model says {taken:?}, the state {result:?}"),
            }
        }
    }

    /// The epoch and what was displaced, if the operation is taken.
    fn operate(
        &mut self,
        at: Stamp,
        asking: Incarnation,
        operation: &SessionOperation,
    ) -> Option<(Epoch, Option<Epoch>)> {
        match operation {
            SessionOperation::Register(register) => self.register(at, asking, register),
            SessionOperation::Unregister(unregister) => {
                self.fenced(asking, &unregister.key, unregister.epoch)?;
                self.sessions.remove(&unregister.key)?;
                Some(Default::default())
            }
            SessionOperation::Bind(BindTopics { key, epoch, topics }) => {
                distinct(topics)?;
                let session = self.fenced(asking, key, *epoch)?;
                let added: Vec<_> = topics.iter().filter(|topic| !session.topics.contains(topic)).cloned().collect();
                if session.topics.len() + added.len() > limits::TOPICS_PER_SESSION_MAX {
                    return None;
                }
                self.room_in(&added, None)?;
                let session = self.sessions.get_mut(key)?;
                session.topics.extend(added);
                Some(Default::default())
            }
            SessionOperation::Unbind(BindTopics { key, epoch, topics }) => {
                distinct(topics)?;
                let session = self.fenced(asking, key, *epoch)?;
                if !topics.iter().all(|topic| session.topics.contains(topic)) {
                    return None;
                }
                session.topics.retain(|topic| !topics.contains(topic));
                Some(Default::default())
            }
        }
    }

    fn fenced(&mut self, asking: Incarnation, key: &SessionKey, epoch: Epoch) -> Option<&mut Session> {
        self.sessions.get_mut(key).filter(|session| session.epoch == epoch && session.incarnation == asking)
    }

    fn register(&mut self, at: Stamp, asking: Incarnation, register: &Register) -> Option<(Epoch, Option<Epoch>)> {
        distinct(&register.topics)?;
        let epoch = self.upcoming_epoch(at);
        let present = self.sessions.get(&register.key);
        match present {
            Some(session) if !session.yields_to(register) => return None,
            Some(_) => {}
            None => {
                let slots = self.sessions.keys().filter(|key| key.user == register.key.user).count();
                if slots >= limits::SLOTS_PER_USER_MAX {
                    return None;
                }
            }
        }
        self.room_in(&register.topics, present)?;
        self.room_at(asking, present)?;
        self.epochs.1 += 1;
        let others = present.filter(|one| one.incarnation != asking || one.connection != register.connection);
        let displaced = others.map(|session| session.epoch);
        let session = Session {
            incarnation: asking,
            epoch,
            connection: register.connection.clone(),
            conn_seq: register.conn_seq,
            topics: register.topics.clone(),
            attributes: register.attributes.clone(),
            flushed: register.flushed,
        };
        self.sessions.insert(register.key.clone(), session);
        Some((epoch, displaced))
    }

    /// Whether topics may have one more session, in the place of this one.
    fn room_in(&self, topics: &[Bytes], present: Option<&Session>) -> Option<()> {
        let has_room = |topic: &Bytes| {
            let max = self.policy.topics.get(&topic[..]).and_then(|topic| topic.sessions_max);
            let bound = self.sessions.values().filter(|session| session.topics.contains(topic)).count() as u64;
            let is_bound = present.is_some_and(|present| present.topics.contains(topic));
            is_bound || max.is_none_or(|max| bound < max)
        };
        topics.iter().all(has_room).then_some(())
    }

    /// Whether an instance may.
    fn room_at(&self, incarnation: Incarnation, present: Option<&Session>) -> Option<()> {
        let held = self.sessions.values().filter(|session| session.incarnation == incarnation).count() as u64;
        let holds = present.is_some_and(|present| present.incarnation == incarnation);
        (holds || self.policy.instance_sessions_max.is_none_or(|max| held < max)).then_some(())
    }

    fn upcoming_epoch(&mut self, at: Stamp) -> Epoch {
        if self.epochs.0 != at.revision {
            self.epochs = (at.revision, 0);
        }
        Epoch { revision: at.revision, position: self.epochs.1 }
    }

    fn publish(&mut self, at: Stamp, publish: &Publish, changed: bool) {
        let mut really = false;
        for change in &publish.changes {
            let present = self.documents.get(&change.path);
            let revision = present.map_or(Revision(0), |(_, revision)| *revision);
            assert!(change.expected.is_none_or(|expected| expected == revision), "compare-and-set was not held");
            match &change.action {
                DocumentAction::Put { text, policy, .. } if present.is_none_or(|(present, _)| present != text) => {
                    really = true;
                    if let Some(Policy::Sessions(policy)) = policy {
                        self.policy = SessionPolicy::clone(policy);
                    }
                    self.documents.insert(change.path.clone(), (text.clone(), at.revision));
                }
                DocumentAction::Put { .. } => {}
                DocumentAction::Delete => really |= self.documents.remove(&change.path).is_some(),
            }
        }
        assert_eq!(really, changed);
    }

    pub(crate) fn compare(&self, state: &State) {
        let mut by_topic: BTreeMap<(Bytes, Incarnation), u64> = BTreeMap::new();
        for (key, session) in &self.sessions {
            let view = state.session(&key.user, &key.slot).unwrap_or_else(|| panic!("{key:?} is missing"));
            let found = Session {
                incarnation: view.incarnation(),
                epoch: view.epoch(),
                connection: Bytes::copy_from_slice(view.connection()),
                conn_seq: view.conn_seq(),
                topics: view.topics().map(Bytes::copy_from_slice).collect(),
                attributes: Bytes::copy_from_slice(view.attributes()),
                flushed: view.flushed(),
            };
            assert_eq!(found, *session, "{key:?}");
            for topic in &session.topics {
                *by_topic.entry((topic.clone(), session.incarnation)).or_default() += 1;
            }
        }
        let users: BTreeSet<_> = self.sessions.keys().map(|key| &key.user).collect();
        let found: usize = users.iter().map(|user| state.sessions_of(user).len()).sum();
        assert_eq!((found, state.sessions_live()), (self.sessions.len(), self.sessions.len() as u64));
        let topics: BTreeSet<_> = by_topic.keys().map(|(topic, _)| topic.clone()).collect();
        for topic in topics {
            let counts: BTreeMap<_, _> = state.count_by_instance(Some(&topic)).into_iter().collect();
            let wanted = by_topic.iter().filter(|((name, _), _)| *name == topic);
            assert_eq!(counts, wanted.map(|((_, incarnation), count)| (*incarnation, *count)).collect());
        }
        let instances: Vec<_> =
            state.instances().map(|one| ((one.service.to_string(), one.id.to_string()), one.incarnation)).collect();
        assert_eq!(instances, self.instances.clone().into_iter().collect::<Vec<_>>());
        let under_way = state.kick_jobs().filter(|job| job.finished_at.is_none()).map(|job| job.number);
        assert!(under_way.eq(self.kicks.iter().rev().map(|job| job.number)), "other kicks are under way");
        let documents = state.configs("").map(|one| (one.path.to_string(), (one.text.clone(), one.revision)));
        assert_eq!(documents.collect::<Vec<_>>(), self.documents.clone().into_iter().collect::<Vec<_>>());
    }
}

impl Session {
    /// Whether a register may displace it.
    fn yields_to(&self, register: &Register) -> bool {
        let by_count = register.conn_seq.zip(self.conn_seq).map(|(given, present)| given.cmp(&present));
        match (register.flushed, self.flushed) {
            (None, _) => by_count.is_none_or(Ordering::is_ge),
            (Some(_), None) => false,
            (Some(claimed), Some(present)) => {
                by_count.filter(|order| order.is_ne()).unwrap_or_else(|| claimed.cmp(&present)).is_ge()
            }
        }
    }
}

impl Job {
    fn is_about(&self, key: &SessionKey, session: &Session) -> bool {
        let SessionSelector { topic, instance, user_prefix, slot } = &self.selector;
        session.epoch < self.before
            && topic.as_ref().is_none_or(|topic| session.topics.contains(topic))
            && (instance.is_none() || Some(session.incarnation) == self.incarnation)
            && key.user.starts_with(user_prefix)
            && slot.as_ref().is_none_or(|slot| *slot == key.slot)
    }
}

fn request(command: &Command) -> Option<RequestId> {
    match command {
        Command::Kick(kick) => kick.request,
        Command::OpenInstance(open) => open.request,
        Command::Publish(publish) => publish.request,
        Command::Found(_)
        | Command::Frame(_)
        | Command::FrameSparing(..)
        | Command::CloseInstance(_)
        | Command::Expire(_)
        | Command::Sweep
        | Command::KickStep
        | Command::GiveUp(_)
        | Command::Restore(_)
        | Command::SendControl(_)
        | Command::Announce(_)
        | Command::StartRollout(_)
        | Command::AdvanceRollout(_)
        | Command::PauseRollout(_)
        | Command::ResumeRollout(_)
        | Command::StopRollout(_)
        | Command::PromoteRollout(_)
        | Command::AcknowledgeControl(_)
        | Command::ReserveNode(_)
        | Command::RetireNode(_)
        | Command::RaiseLevel(_) => None,
    }
}

fn distinct(topics: &[Bytes]) -> Option<()> {
    (topics.iter().collect::<BTreeSet<_>>().len() == topics.len()).then_some(())
}
