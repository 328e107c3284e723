//! How many connections a listener has, and who gives way when there are too many.
//!
//! A connection has a place of its own, or a spare one. Places are kept for as long as a connection lives. Spare ones
//! are few and are not: whoever comes next takes that of the oldest, which is closed. So a listener is never full for
//! somebody who only has a short question, however many others are there and whatever they do; and the number of files
//! that connections take is bounded.
//!
//! Clients get places until there are no more, or until their address has its share; those in spare ones are refused
//! everything but what an admin asks first, until a place becomes free. Other nodes begin in a spare place and get one
//! of their own when they have shown that they belong to the cluster. Scrapers are all in spare places.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::metrics::Level;

/// The places of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Places that are kept.
    pub places_max: usize,
    /// Those of them that one address may have.
    pub address_max: usize,
    /// Places that are not.
    pub spare_max: usize,
}

/// When a connection gets a place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// As soon as it comes, if there is one.
    AtOnce,
    /// When it is [vouched](Connection::vouch) for.
    OnProof,
}

/// The connections of one listener.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    welcome: Welcome,
    level: Level,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    kept: HashMap<u64, Option<IpAddr>>,
    by_address: HashMap<IpAddr, usize>,
    /// By age.
    spare: BTreeMap<u64, Arc<Spot>>,
}

/// What a connection is told.
#[derive(Debug)]
struct Spot {
    address: Option<IpAddr>,
    is_kept: AtomicBool,
    cut: CancellationToken,
}

/// A connection that is open. Its place is free when this is dropped.
#[derive(Debug)]
pub struct Connection {
    connections: Arc<Connections>,
    number: u64,
    spot: Arc<Spot>,
}

impl Connections {
    /// None yet. `level` shows how many there are.
    #[must_use]
    pub fn new(limits: ConnectionLimits, welcome: Welcome, level: Level) -> Arc<Self> {
        Arc::new(Self { limits, welcome, level, table: Mutex::default() })
    }

    /// How many of them have a place of their own, at most.
    #[must_use]
    pub const fn places_max(&self) -> usize {
        self.limits.places_max
    }

    /// Lets a connection in; the oldest in a spare place may have to go.
    #[must_use]
    pub fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Connection {
        let spot = Arc::new(Spot {
            address: address.map(network),
            is_kept: AtomicBool::new(false),
            cut: CancellationToken::new(),
        });
        let mut table = self.table.lock();
        table.last += 1;
        let number = table.last;
        if self.welcome == Welcome::OnProof || !table.keep(number, &spot, self.limits) {
            table.spare.insert(number, Arc::clone(&spot));
            if table.spare.len() > self.limits.spare_max
                && let Some((_, oldest)) = table.spare.pop_first()
            {
                oldest.cut.cancel();
            }
        }
        self.level.set(table.len());
        drop(table);
        Connection { connections: Arc::clone(self), number, spot }
    }
}

impl Table {
    fn len(&self) -> u64 {
        (self.kept.len() + self.spare.len()) as u64
    }

    fn keep(&mut self, number: u64, spot: &Spot, limits: ConnectionLimits) -> bool {
        let of_address = spot.address.and_then(|it| self.by_address.get(&it)).copied().unwrap_or_default();
        if self.kept.len() >= limits.places_max || of_address >= limits.address_max {
            return false;
        }
        self.kept.insert(number, spot.address);
        if let Some(address) = spot.address {
            *self.by_address.entry(address).or_default() += 1;
        }
        spot.is_kept.store(true, Ordering::Relaxed);
        true
    }

    fn leave(&mut self, number: u64) {
        self.spare.remove(&number);
        let Some(Some(address)) = self.kept.remove(&number) else { return };
        if let Some(count) = self.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    /// Gives a free place to the oldest that waits for one.
    fn promote(&mut self, limits: ConnectionLimits) {
        let waiting: Vec<_> = self.spare.iter().map(|(number, spot)| (*number, Arc::clone(spot))).collect();
        for (number, spot) in waiting {
            if self.keep(number, &spot, limits) {
                self.spare.remove(&number);
                return;
            }
        }
    }
}

impl Connection {
    /// Whether its place is its own.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.spot.is_kept.load(Ordering::Relaxed)
    }

    /// How many have a place of their own, at most.
    #[must_use]
    pub fn places_max(&self) -> usize {
        self.connections.places_max()
    }

    /// It has shown who it is, and may have a place of its own.
    pub fn vouch(&self) {
        if self.is_kept() {
            return;
        }
        let mut table = self.connections.table.lock();
        if table.spare.contains_key(&self.number) && table.keep(self.number, &self.spot, self.connections.limits) {
            table.spare.remove(&self.number);
        }
    }

    /// Cancelled when it has to go.
    #[must_use]
    pub fn cut(&self) -> CancellationToken {
        self.spot.cut.clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let connections = &self.connections;
        let mut table = connections.table.lock();
        table.leave(self.number);
        if connections.welcome == Welcome::AtOnce {
            table.promote(connections.limits);
        }
        connections.level.set(table.len());
    }
}

/// Whom an address belongs to: of IPv6 everybody has a whole network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn connections(places_max: usize, spare_max: usize, welcome: Welcome) -> Arc<Connections> {
        let limits = ConnectionLimits { places_max, address_max: places_max, spare_max };
        Connections::new(limits, welcome, Level::default())
    }

    #[test]
    fn places_are_kept_and_spare_ones_go_to_whoever_comes_next() {
        let listener = connections(2, 2, Welcome::AtOnce);
        let kept = [listener.enter(HERE), listener.enter(HERE)];
        let spare = [listener.enter(HERE), listener.enter(HERE)];
        assert!(kept.iter().all(Connection::is_kept) && !spare.iter().any(Connection::is_kept));
        let next = listener.enter(HERE);
        assert!(spare[0].cut().is_cancelled(), "the oldest in a spare place has to go");
        assert!(!kept.iter().chain([&spare[1], &next]).any(|it| it.cut().is_cancelled()), "nobody else has");
        assert_eq!(listener.level.get(), 4);
        drop(kept);
        assert!(spare[1].is_kept() && next.is_kept(), "places that become free go to those who wait");
        drop((spare, next));
        assert_eq!(listener.level.get(), 0);
        assert!(listener.table.lock().by_address.is_empty());
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let limits = ConnectionLimits { places_max: 4, address_max: 2, spare_max: 4 };
        let listener = Connections::new(limits, Welcome::AtOnce, Level::default());
        let of_one: Vec<_> = (0..4).map(|_| listener.enter(HERE)).collect();
        assert_eq!(of_one.iter().filter(|it| it.is_kept()).count(), 2);
        let networks = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"];
        let of_others = networks.map(|it| listener.enter(Some(it.parse().expect("an address"))));
        assert_eq!(of_others.each_ref().map(Connection::is_kept), [true, true, false], "all places are taken");
    }

    #[test]
    fn a_stranger_gets_a_place_when_it_is_vouched_for() {
        let listener = connections(1, 2, Welcome::OnProof);
        let node = listener.enter(HERE);
        assert!(!node.is_kept());
        node.vouch();
        assert!(node.is_kept());
        let strangers: Vec<_> = (0..5).map(|_| listener.enter(HERE)).collect();
        let cut = strangers.iter().filter(|it| it.cut().is_cancelled()).count();
        assert_eq!((cut, node.cut().is_cancelled()), (3, false));
        strangers[4].vouch();
        assert!(!strangers[4].is_kept(), "there is no place left");
        drop(node);
        assert!(!strangers[4].is_kept(), "a place is not given without proof");
    }
}
