//! Where users are connected.

use std::{slice, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use crate::{
    Consistency, Error, Formerly, Presence, Rebuilding, Session, SessionKey, Subscription,
    connection::{Aim, Backoff, Nodes},
    limits,
    session::{
        answer::Answer,
        ask::Ask,
        cache::{Store, keep},
        key::within,
        reader::Reader,
    },
    tasks::Tasks,
};

/// Which nodes answer a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Route {
    /// The leader for linearizable reads, which is the cheapest for the cluster; any node for others.
    #[default]
    Cheapest,
    /// The leader, always.
    Leader,
    /// One node chosen by chance, the same while it works: clients spread over all.
    AnyNode,
}

/// What a lookup found, and how fresh it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked<T> {
    /// What was found.
    pub found: T,
    /// The state that answered.
    pub revision: u64,
    /// How long ago the node last knew that it was up to date; zero for linearizable answers.
    pub age: Duration,
    /// Which history of the state.
    pub state_id: u64,
    /// Those asked for that are not live, and not gone either: why they were not found, and who held them last.
    pub formerly: Vec<Formerly>,
    /// Present while the registry is being filled again after its state was lost: a miss may be somebody who is
    /// connected.
    pub rebuilding: Option<Rebuilding>,
}

impl<T> Looked<T> {
    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Looked<U> {
        let Self { found, revision, age, state_id, formerly, rebuilding } = self;
        Looked { found: map(found), revision, age, state_id, formerly, rebuilding }
    }

    /// Several answers as one: the lowest revision, the highest age.
    pub(super) fn joined<U: Default>(answers: Vec<Self>, mut add: impl FnMut(&mut U, T)) -> Looked<U> {
        let mut joined = Looked {
            found: U::default(),
            revision: answers.iter().map(|it| it.revision).min().unwrap_or_default(),
            age: answers.iter().map(|it| it.age).max().unwrap_or_default(),
            state_id: answers.first().map(|it| it.state_id).unwrap_or_default(),
            formerly: Vec::new(),
            rebuilding: answers.iter().find_map(|it| it.rebuilding),
        };
        for mut answer in answers {
            joined.formerly.append(&mut answer.formerly);
            add(&mut joined.found, answer.found);
        }
        joined
    }
}

/// The session of one key, if anybody holds it.
pub type Found = Option<Session>;

/// Finds users. Cheap to clone; see [`Keeper::lookup`](crate::Keeper::lookup).
///
/// Each call is one question and waits for its own answer; questions of many callers travel together.
#[derive(Debug, Clone)]
pub struct Lookup {
    lookups: Arc<Lookups>,
    consistency: Consistency,
    route: Route,
    topic: Bytes,
    reader: Reader,
}

impl Lookup {
    pub(crate) fn new(lookups: Arc<Lookups>) -> Self {
        let (consistency, route) = (Consistency::default(), Route::default());
        let reader = lookups.reader(consistency, route);
        Self { lookups, consistency, route, topic: Bytes::new(), reader }
    }

    /// How fresh answers must be. Linearizable by default.
    #[must_use]
    pub fn consistency(self, consistency: Consistency) -> Self {
        let reader = self.lookups.reader(consistency, self.route);
        Self { consistency, reader, ..self }
    }

    /// Which nodes answer.
    #[must_use]
    pub fn route(self, route: Route) -> Self {
        let reader = self.lookups.reader(self.consistency, route);
        Self { route, reader, ..self }
    }

    /// Finds only sessions that are bound to this topic.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the name is empty or longer than [`limits::TOPIC_BYTES_MAX`].
    pub fn topic(self, topic: impl Into<Bytes>) -> Result<Self, Error> {
        let topic = topic.into();
        within("topic", topic.len(), 1, limits::TOPIC_BYTES_MAX)?;
        Ok(Self { topic, ..self })
    }

    /// One device of one user.
    ///
    /// # Errors
    /// As [`Error`] says; reads are tried again until the operation timeout.
    pub async fn session(&self, key: &SessionKey) -> Result<Looked<Found>, Error> {
        self.ask(Ask::keys(slice::from_ref(key))).await?.key()
    }

    /// Every device of one user.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn user(&self, user: impl Into<Bytes>) -> Result<Looked<Vec<Session>>, Error> {
        let user = user.into();
        within("user", user.len(), 1, limits::USER_BYTES_MAX)?;
        self.ask(Ask::user(&user)).await?.user()
    }

    /// Many keys: one result a key, in the order asked. More than [`limits::FRAME_OPERATIONS_MAX`] are asked in several
    /// frames, each at one revision; the revision told is the lowest of them, the age the highest.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn many(&self, keys: &[SessionKey]) -> Result<Looked<Vec<Found>>, Error> {
        let ask = async |some| self.ask(Ask::keys(some)).await?.keys(some.len());
        let mut frames = try_join_all(keys.chunks(limits::FRAME_OPERATIONS_MAX).map(ask)).await?;
        match frames.len() {
            1 => Ok(frames.remove(0)),
            _ => Ok(Looked::joined(frames, |found: &mut Vec<Found>, mut some: Vec<Found>| found.append(&mut some))),
        }
    }

    /// The revision of a state that is as fresh as this lookup demands.
    pub(super) async fn revision(&self) -> Result<u64, Error> {
        self.ask(Ask::keys(&[])).await.map(|it| it.revision())
    }

    pub(super) const fn freshness(&self) -> Consistency {
        self.consistency
    }

    pub(super) fn without_topic(self) -> (Self, Bytes) {
        let Self { topic, .. } = self;
        (Self { topic: Bytes::new(), ..self }, topic)
    }

    /// Runs the task that keeps a cache right; it ends with the client at the latest.
    pub(super) fn spawn_keeper(&self, store: Arc<Store>) -> AbortHandle {
        let Lookups { nodes, tasks, .. } = &*self.lookups;
        let span = tracing::info_span!("keeper", client = %nodes.settings.name, task = "lookup cache");
        let probe = self.clone().consistency(Consistency::Linearizable);
        let (backoff, followed) = (Backoff::new(nodes.random.clone()), (nodes.clone(), tasks.clone()));
        let open = move || {
            let (nodes, tasks) = followed.clone();
            Presence::new(nodes, tasks, Subscription::all().with_everything())
        };
        tasks.spawn(span, keep(store, open, probe, backoff))
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, Error> {
        self.reader.run(ask, self.topic.clone(), self.consistency).await
    }
}

/// The streams lookups travel on: at most one per freshness and target, opened when first wanted.
#[derive(Debug)]
pub(crate) struct Lookups {
    nodes: Arc<Nodes>,
    tasks: Arc<Tasks>,
    readers: Mutex<Vec<((Freshness, Aim), Reader)>>,
}

/// Questions of one freshness share frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Linearizable,
    Local,
    AtLeast,
}

impl Lookups {
    pub(crate) const fn new(nodes: Arc<Nodes>, tasks: Arc<Tasks>) -> Self {
        Self { nodes, tasks, readers: Mutex::new(Vec::new()) }
    }

    fn reader(&self, consistency: Consistency, route: Route) -> Reader {
        let freshness = match consistency {
            Consistency::Linearizable => Freshness::Linearizable,
            Consistency::Local => Freshness::Local,
            Consistency::AtLeast(_) => Freshness::AtLeast,
        };
        let aim = match (route, freshness) {
            (Route::Leader, _) | (Route::Cheapest, Freshness::Linearizable) => Aim::Leader,
            (Route::AnyNode, _) | (Route::Cheapest, Freshness::Local | Freshness::AtLeast) => Aim::Any,
        };
        let mut readers = self.readers.lock();
        if let Some((_, reader)) = readers.iter().find(|(it, _)| *it == (freshness, aim.clone())) {
            return reader.clone();
        }
        let reader = Reader::start(&self.tasks, self.nodes.clone(), aim.clone());
        readers.push(((freshness, aim), reader.clone()));
        reader
    }
}
