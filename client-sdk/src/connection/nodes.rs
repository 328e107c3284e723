//! The memory of nodes: their endpoints, their channels, who leads.
//!
//! Pure bookkeeping under one short lock. Invariants: there is always at least one node; those configured are never
//! forgotten; a leader is believed until it fails or says otherwise, and then nobody is until an answer names one.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time,
};
use tonic::transport::Channel;

use crate::{
    Endpoint, Error,
    connection::Settings,
    error::{Failure, LeaderHint},
    limits,
    random::Random,
};

/// Whom a call should go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aim {
    /// The leader, or whoever may know it.
    Leader,
    /// Always the same node while it works: chosen by chance, so that clients spread.
    Any,
    /// This node and no other.
    At(Endpoint),
}

/// One node and the connection to it.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    pub(crate) channel: Channel,
}

#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) settings: Arc<Settings>,
    pub(crate) random: Random,
    book: Mutex<Book>,
    /// Counts the times a leader became known: those who pause for want of one wake early.
    led: watch::Sender<u64>,
    /// Wakes the scout.
    leaderless: Notify,
}

#[derive(Debug)]
struct Book {
    known: Vec<Known>,
    leader: Option<Endpoint>,
    /// Whom to ask for the leader next, and whom `Aim::Any` means; both move on when that node fails.
    turn: usize,
    home: usize,
}

#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    origin: Origin,
    channel: Option<Channel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Configured,
    Learnt,
}

impl Nodes {
    /// `endpoints` is not empty; the builder sees to it.
    pub(crate) fn new(endpoints: Vec<Endpoint>, settings: Arc<Settings>) -> Self {
        let random = Random::new(settings.seed);
        let mut known: Vec<Known> = Vec::new();
        for endpoint in endpoints {
            if known.iter().all(|it| it.endpoint != endpoint) {
                known.push(Known { endpoint, origin: Origin::Configured, channel: None });
            }
        }
        let home = random.below(known.len());
        let book = Mutex::new(Book { known, leader: None, turn: home, home });
        Self { settings, random, book, led: watch::Sender::new(0), leaderless: Notify::new() }
    }

    /// The node to ask now.
    pub(crate) fn pick(&self, aim: &Aim) -> Result<Node, Error> {
        let mut book = self.book.lock();
        let endpoint = match aim {
            Aim::At(endpoint) => endpoint.clone(),
            Aim::Leader => book.leader.clone().unwrap_or_else(|| book.at(book.turn)),
            Aim::Any => book.at(book.home),
        };
        book.node(endpoint, &self.settings)
    }

    /// Every node known now.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        self.book.lock().known.iter().map(|it| it.endpoint.clone()).collect()
    }

    pub(crate) fn leader(&self) -> Option<Endpoint> {
        self.book.lock().leader.clone()
    }

    /// This node did what only a leader does.
    pub(crate) fn leads(&self, endpoint: &Endpoint) {
        let mut book = self.book.lock();
        if book.leader.as_ref() != Some(endpoint) {
            book.learn(endpoint);
            book.leader = Some(endpoint.clone());
            drop(book);
            self.led.send_modify(|count| *count += 1);
        }
    }

    /// This node did not do what it was asked. What the failure says about the leader is believed; a node that cannot
    /// be reached is passed over by the next call.
    pub(crate) fn failed(&self, endpoint: &Endpoint, failure: &Failure) {
        let hint = match &failure.leader {
            LeaderHint::Silent => return,
            LeaderHint::At(text) => Endpoint::parse(text).ok().filter(|leader| leader != endpoint),
            LeaderHint::Gone | LeaderHint::Elsewhere => None,
        };
        if let Some(leader) = hint {
            return self.leads(&leader);
        }
        let mut book = self.book.lock();
        if book.leader.as_ref() == Some(endpoint) {
            book.leader = None;
        }
        if book.at(book.turn) == *endpoint {
            book.turn += 1;
        }
        if failure.leader == LeaderHint::Gone && book.at(book.home) == *endpoint {
            book.home += 1;
        }
        let leaderless = book.leader.is_none();
        drop(book);
        if leaderless {
            self.leaderless.notify_one();
        }
    }

    /// The members of the cluster, as its leader or a follower tells them. Learnt nodes that are no members any more
    /// are forgotten.
    pub(crate) fn members(&self, members: &[Endpoint]) {
        if members.is_empty() {
            // A node that belongs to no cluster yet knows nothing.
            return;
        }
        let mut book = self.book.lock();
        book.known.retain(|it| it.origin == Origin::Configured || members.contains(&it.endpoint));
        for endpoint in members {
            book.learn(endpoint);
        }
    }

    /// Waits, but no longer than until a leader becomes known.
    pub(crate) async fn pause(&self, pause: Duration) {
        let mut led = self.led.subscribe();
        // Either way the pause is over; which way does not matter.
        let _ = time::timeout(pause, led.changed()).await;
    }

    /// Resolves when a leader is wanted and none is known.
    pub(crate) async fn leaderless(&self) {
        while self.leader().is_some() {
            self.leaderless.notified().await;
        }
    }
}

impl Book {
    fn at(&self, turn: usize) -> Endpoint {
        self.known[turn % self.known.len()].endpoint.clone()
    }

    fn learn(&mut self, endpoint: &Endpoint) {
        let new = self.known.iter().all(|it| it.endpoint != *endpoint);
        if new && self.known.len() < limits::ENDPOINTS_MAX {
            self.known.push(Known { endpoint: endpoint.clone(), origin: Origin::Learnt, channel: None });
        }
    }

    fn node(&mut self, endpoint: Endpoint, settings: &Settings) -> Result<Node, Error> {
        let Some(known) = self.known.iter_mut().find(|it| it.endpoint == endpoint) else {
            let channel = open(&endpoint, settings)?;
            return Ok(Node { endpoint, channel });
        };
        let channel = match &known.channel {
            Some(channel) => channel.clone(),
            None => known.channel.insert(open(&endpoint, settings)?).clone(),
        };
        Ok(Node { endpoint, channel })
    }
}

/// A channel that connects when it is first used, and again whenever it is used after a break.
fn open(endpoint: &Endpoint, settings: &Settings) -> Result<Channel, Error> {
    let transport = tonic::transport::Endpoint::from_shared(endpoint.url())
        .map_err(|_| Error::invalid("endpoint", format!("{endpoint} is not host:port")))?
        .connect_timeout(settings.connect_timeout)
        .tcp_nodelay(true)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(limits::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(limits::KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    Ok(match &settings.connector {
        Some(connector) => transport.connect_with_connector_lazy(connector.clone()),
        None => transport.connect_lazy(),
    })
}
