//! Whether the address by which the others reach this node leads to this process.
//!
//! Two processes must never run one data directory: under one number both could lead in one term, and be acknowledged
//! different entries. A lock keeps them apart on one machine. A clone of a machine has the directory, the settings and
//! with them the address, and to the others it is the member. But the address leads to one of the two. So a node asks
//! there who it is, on a connection of its own each time, because a name may have moved since the last one was made;
//! and each answer names the process that gave it. What is found:
//!
//! - **This process.** All is well.
//! - **Another process with this directory.** This one stands for no election from then on, which is all that it could
//!   do: what others send reaches the other one. It stops if that has not changed after [`DOUBTED_MAX`]; until then it
//!   may be an old process on its way down.
//! - **Another node.** The address is wrong. That harms nobody but this node, which says so and is not ready.
//! - **Nobody.** Many nodes do not reach themselves by the name that others use. It is said once, and the node goes on.
//!   So a clone that starts while its original is down is found only when that is back.
//!
//! Until it has asked once a node stands for no election. Where the address is the very one that it listens on there is
//! nothing to ask: nobody else listens there. A node of a release that names no process is believed to be this one.

use bytes::Bytes;
use keeper_proto::peer::envelope::Kind;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::handle::RaftHandle;
use super::introduction::Introduction;
use super::limits::{DOUBTED_MAX, OWN_ADDRESS_AGAIN, OWN_ADDRESS_INTERVAL, READ_INDEX_MAX};
use super::network::CallError;
use super::type_config::Member;
use crate::clock;

/// Another process runs with this node's data directory. The process must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "at {address}, where this node says that it is reached (its setting advertise.peer), another process answers with \
     the same data directory, as node {node}: one directory must never run twice. If this machine is a clone, set its \
     copy aside with `keeper forget --config FILE`, and give it an address of its own; if it is to take over from the \
     other one, stop that one first"
)]
pub struct TwinFound {
    /// Where it answers.
    pub address: String,
    /// The number that both have.
    pub node: u64,
}

/// What this node knows of its own address.
#[derive(Debug)]
pub(super) struct OwnAddress {
    /// Names this process.
    process: u64,
    /// None: it is the one that it listens on.
    address: Option<String>,
    found: Mutex<Found>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// It was not asked yet.
    Unasked,
    Itself,
    Nobody,
    /// Said in words.
    Another(String),
    Twin {
        node: u64,
        since: Instant,
    },
}

/// Asks at this node's own address, for as long as it runs.
pub(super) struct OwnAddressRounds {
    pub(super) handle: RaftHandle,
}

impl OwnAddress {
    pub(super) const fn new(process: u64, address: Option<String>) -> Self {
        Self { process, address, found: Mutex::new(Found::Unasked) }
    }

    /// Names this process in its answers.
    pub(super) const fn process(&self) -> u64 {
        self.process
    }

    /// Whether nothing is known that speaks against standing for election.
    pub(super) fn is_clear(&self) -> bool {
        match &*self.found.lock() {
            Found::Unasked => self.address.is_none(),
            Found::Itself | Found::Nobody | Found::Another(_) => true,
            Found::Twin { .. } => false,
        }
    }

    /// What an answer says.
    fn judge(&self, disk_id: u64, process: u64, said: &Introduction) -> Found {
        match (said.disk_id == disk_id, process == self.process || process == 0) {
            (true, true) => Found::Itself,
            (true, false) => Found::Twin { node: said.node, since: clock::now() },
            (false, _) if said.node == 0 => Found::Another("a node that waits for a number".to_owned()),
            (false, _) => Found::Another(format!("node {}, with another data directory,", said.node)),
        }
    }

    /// Remembers what was found, and says it if it is news.
    fn note(&self, address: &str, found: Found, why: Option<&CallError>) {
        let mut known = self.found.lock();
        // Who was there is not forgotten because it is silent now.
        let found = match (&*known, found) {
            (Found::Twin { .. }, Found::Nobody) => return,
            (Found::Twin { since, .. }, Found::Twin { node, .. }) => Found::Twin { node, since: *since },
            (_, found) => found,
        };
        let before = std::mem::replace(&mut *known, found.clone());
        drop(known);
        if before == found {
            return;
        }
        match found {
            Found::Unasked => {}
            Found::Itself if before == Found::Unasked => {}
            Found::Itself => tracing::info!(address, "this node's own address leads to it again"),
            Found::Nobody => tracing::warn!(
                address,
                why = why.map(ToString::to_string),
                "this node does not hear itself at its own address, and goes on: a second process with this data \
                 directory would not be noticed"
            ),
            Found::Another(who) => tracing::error!(
                address,
                "{who} answers at this node's own address: correct advertise.peer, or who that name leads to"
            ),
            Found::Twin { node, .. } => tracing::error!(
                address,
                node,
                "another process with this data directory answers at this node's own address: this one stands for no \
                 election, and stops unless the other one does"
            ),
        }
    }

    /// Another process has had this node's address and directory for too long.
    fn twin(&self, address: &str) -> Option<TwinFound> {
        match &*self.found.lock() {
            Found::Twin { node, since } if since.elapsed() >= DOUBTED_MAX => {
                Some(TwinFound { address: address.to_owned(), node: *node })
            }
            Found::Unasked | Found::Itself | Found::Nobody | Found::Another(_) | Found::Twin { .. } => None,
        }
    }
}

impl OwnAddressRounds {
    /// Ends when another process runs with this node's directory.
    pub(super) async fn run(self) -> TwinFound {
        let own = &self.handle.own_address;
        let Some(address) = own.address.as_deref() else { return std::future::pending().await };
        loop {
            match self.ask(address).await {
                Ok(found) => own.note(address, found, None),
                Err(error) => own.note(address, Found::Nobody, Some(&error)),
            }
            if let Some(twin) = own.twin(address) {
                return twin;
            }
            tokio::time::sleep(if own.is_clear() { OWN_ADDRESS_INTERVAL } else { OWN_ADDRESS_AGAIN }).await;
        }
    }

    async fn ask(&self, address: &str) -> Result<Found, CallError> {
        let somebody = Member { peer_endpoint: address.to_owned(), ..Member::default() };
        let peer = self.handle.peers.stranger(0, &somebody);
        let answer = peer.exchange(Kind::Identify, Bytes::new(), READ_INDEX_MAX).await?;
        let process = answer.process;
        let said = Introduction::decode(peer.open(answer, Kind::Identify)?).map_err(|error| peer.malformed(error))?;
        Ok(self.handle.own_address.judge(self.handle.disk_id(), process, &said))
    }
}

impl RaftHandle {
    /// Why others do not reach this node, in words.
    #[must_use]
    pub fn misaddressed(&self) -> Option<String> {
        let address = self.own_address.address.as_deref()?;
        match &*self.own_address.found.lock() {
            Found::Another(who) => Some(format!("{who} answers at {address}, this node's own address")),
            Found::Twin { .. } => {
                Some(format!("another process with this data directory answers at {address}, this node's own address"))
            }
            Found::Unasked | Found::Itself | Found::Nobody => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const AT: &str = "node2:7401";

    fn own() -> OwnAddress {
        OwnAddress::new(7, Some(AT.to_owned()))
    }

    fn said(disk_id: u64) -> Introduction {
        Introduction {
            disk_id,
            initialized: true,
            node: 2,
            state: 1,
            lost: false,
            peer_endpoint: AT.to_owned(),
            client_endpoint: String::new(),
            version: String::new(),
        }
    }

    /// Asks, and is answered so.
    fn hear(own: &OwnAddress, process: u64, disk_id: u64) {
        own.note(AT, own.judge(20, process, &said(disk_id)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_stands_for_election_once_it_has_asked_who_is_at_its_address() {
        let asked = own();
        assert!(!asked.is_clear());
        asked.note(AT, Found::Nobody, None);
        assert!(asked.is_clear(), "it cannot know better");
        for (process, disk_id) in [(7, 20), (0, 20), (9, 21)] {
            hear(&asked, process, disk_id);
            assert!(asked.is_clear());
        }
        assert!(OwnAddress::new(7, None).is_clear(), "there is nothing to ask");
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_with_this_directory_ends_this_one_unless_it_goes() {
        let asked = own();
        hear(&asked, 8, 20);
        assert!(!asked.is_clear());
        tokio::time::advance(DOUBTED_MAX - Duration::from_millis(1)).await;
        asked.note(AT, Found::Nobody, None);
        assert!(!asked.is_clear(), "it may be silent");
        assert_eq!(asked.twin(AT), None);
        hear(&asked, 7, 20);
        assert!(asked.is_clear(), "that one was on its way down");
        hear(&asked, 8, 20);
        tokio::time::advance(DOUBTED_MAX).await;
        hear(&asked, 8, 20);
        assert_eq!(asked.twin(AT), Some(TwinFound { address: AT.to_owned(), node: 2 }));
    }
}
