//! The memory of nodes: their endpoints, their channels, who leads.
//!
//! Pure bookkeeping under one short lock. Invariants: there is always at least one node; those configured are never
//! forgotten; a leader is believed until it fails or says otherwise, and then nobody is until an answer names one.
//!
//! Nodes pay for connections: there is one to a node that calls go to, and none to one that was only asked who leads.
//! Who leads is found out once somebody wants to know: a client that only follows needs one node, and has it say who
//! the others are, to go there when it fails.

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

/// What is to be found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Who leads.
    Leader,
    /// Who the members are, as this node knows them.
    Members(Endpoint),
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
    asked: Notify,
}

#[derive(Debug)]
struct Book {
    known: Vec<Known>,
    leader: Option<Endpoint>,
    /// Somebody has asked for the leader since it was known last.
    wanted: bool,
    /// Nobody has said who the members are since the home moved.
    strange: bool,
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
        let book = Mutex::new(Book { known, leader: None, wanted: false, strange: true, turn: home, home });
        Self { settings, random, book, led: watch::Sender::new(0), asked: Notify::new() }
    }

    /// The node to ask now.
    pub(crate) fn pick(&self, aim: &Aim) -> Result<Node, Error> {
        let mut book = self.book.lock();
        let endpoint = match aim {
            Aim::At(endpoint) => endpoint.clone(),
            Aim::Leader => match &book.leader {
                Some(leader) => leader.clone(),
                None => {
                    book.wanted = true;
                    self.asked.notify_one();
                    book.at(book.turn)
                }
            },
            Aim::Any => book.at(book.home),
        };
        book.node(endpoint, &self.settings)
    }

    /// A node to ask once: by the connection to it, or by one that goes when it has answered.
    pub(crate) fn visit(&self, endpoint: Endpoint) -> Result<Node, Error> {
        let mut book = self.book.lock();
        if book.at(book.home) == endpoint {
            return book.node(endpoint, &self.settings);
        }
        let channel = match book.known.iter().find(|it| it.endpoint == endpoint).and_then(|it| it.channel.clone()) {
            Some(channel) => channel,
            None => open(&endpoint, &self.settings)?,
        };
        Ok(Node { endpoint, channel })
    }

    /// Calls will go to this node: by the connection that it was asked by.
    pub(crate) fn stay(&self, node: Node) {
        let mut book = self.book.lock();
        if let Some(known) = book.known.iter_mut().find(|it| it.endpoint == node.endpoint) {
            known.channel.get_or_insert(node.channel);
        }
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
            book.wanted = false;
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
            book.wanted = true;
        }
        if book.at(book.turn) == *endpoint {
            book.turn += 1;
        }
        if failure.leader == LeaderHint::Gone && book.at(book.home) == *endpoint {
            book.home += 1;
            book.strange = true;
        }
        let is_asked = book.wanted || book.strange;
        drop(book);
        if is_asked {
            self.asked.notify_one();
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
        book.strange = false;
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

    /// Resolves when there is something to find out.
    pub(crate) async fn wanted(&self) -> Wanted {
        loop {
            let (home, is_leader, is_strange) = {
                let book = self.book.lock();
                (book.at(book.home), book.wanted, book.strange)
            };
            if is_leader {
                return Wanted::Leader;
            }
            if is_strange {
                return Wanted::Members(home);
            }
            self.asked.notified().await;
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
