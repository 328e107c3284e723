//! Whether the address by which the others reach this node leads to this process.
//!
//! Two processes must never run one data directory: under one number both could lead in one term, and be acknowledged
//! different entries. A lock keeps them apart on one machine. A clone of a machine has the directory, the settings and
//! with them the address, and to the others it is the member. But the address leads to one of the two. So a node asks
//! there who it is, on a connection of its own each time, because a name may have moved since the last one was made;
//! and each answer names the process that gave it. What is found:
//!
//! - **This process.** All is well.
//! - **Another process with this directory.** From then on this one is none of the group: it stands for no election,
//!   grants no vote, takes no entries, and acknowledges nothing, neither writes nor reads nor renewals. If it leads it
//!   hands over to a voter that has what was acknowledged. It ends if it has been told so for [`DOUBTED_MAX`], and is
//!   still; until then it may be an old process on its way down. One answer proves little: it may be late, or a lie.
//! - **Another node.** The address is wrong. That harms nobody but this node, which says so and is not ready.
//! - **Nobody.** Many nodes do not reach themselves by the name that others use. It is said once, and the node goes on;
//!   also one that was in doubt, once it has been told nothing for so long. So a clone that starts while its original
//!   is down, or cut off from it, is found only when that is back.
//!
//! Until it has asked once a node stands for no election. Where the address is the very one that it listens on there is
//! nothing to ask: nobody else listens there. Every process of this release names itself, so one that names none is
//! another one, of an older release.
//!
//! **Left out.** Nobody proves here who he is: whoever holds a node's address can say that he is that node, and end it.

use bytes::Bytes;
use keeper_proto::peer::envelope::Kind;
use tokio::sync::watch;
use tokio::time::Instant;

use super::handle::RaftHandle;
use super::introduction::Introduction;
use super::limits::{DOUBTED_ANSWERS_MIN, DOUBTED_MAX, OWN_ADDRESS_AGAIN, OWN_ADDRESS_INTERVAL, READ_INDEX_MAX};
use super::network::CallError;
use super::status::Role;
use super::type_config::Member;
use crate::clock;

/// Another process runs with this node's data directory. The process must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "at {address}, where this node says that it is reached (its setting advertise.peer), another process answers with \
     the same data directory, as node {node}: one directory must never run twice, and this process ends, which may be \
     the copy or the original. Before anything is set aside, find out which has the newer data: here {}; what answers \
     at {address} says its own in `keeperctl cluster status` (APPLIED). Keep the newer. The other machine, if it is a \
     clone, sets its copy aside with `keeper forget --config FILE` and gets an address of its own; if this one is to \
     take over, stop the other one first",
    newest(*.applied)
)]
pub struct TwinFound {
    /// Where it answers.
    pub address: String,
    /// The number that both have.
    pub node: u64,
    /// The last entry applied here.
    pub applied: Option<u64>,
}

fn newest(index: Option<u64>) -> String {
    index.map_or_else(|| "nothing was applied".to_owned(), |index| format!("entry {index} was the last one applied"))
}

/// What this node knows of its own address.
#[derive(Debug)]
pub(super) struct OwnAddress {
    /// Names this process; never 0.
    process: u64,
    /// None: it is the one that it listens on.
    address: Option<String>,
    found: watch::Sender<Found>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It was not asked yet.
    Unasked,
    Itself,
    Nobody,
    /// Said in words.
    Another(String),
    Twin(Twin),
}

/// Another process with this directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Twin {
    node: u64,
    since: Instant,
    heard_at: Instant,
    answers: u32,
}

/// Asks at this node's own address, for as long as it runs.
pub(super) struct OwnAddressRounds {
    pub(super) handle: RaftHandle,
}

impl OwnAddress {
    pub(super) fn new(process: u64, address: Option<String>) -> Self {
        Self { process, address, found: watch::Sender::new(Found::Unasked) }
    }

    /// Names this process in its answers.
    pub(super) const fn process(&self) -> u64 {
        self.process
    }

    /// Whether nothing is known that speaks against standing for election.
    pub(super) fn is_clear(&self) -> bool {
        match &*self.found.borrow() {
            Found::Unasked => self.address.is_none(),
            Found::Itself | Found::Nobody | Found::Another(_) => true,
            Found::Twin(_) => false,
        }
    }

    /// Whether another process was found with this directory: nothing may be acknowledged.
    pub(super) fn is_doubted(&self) -> bool {
        matches!(&*self.found.borrow(), Found::Twin(_))
    }

    /// Follows what is found.
    pub(super) fn watch(&self) -> watch::Receiver<Found> {
        self.found.subscribe()
    }

    /// What an answer says.
    fn judge(&self, disk_id: u64, process: u64, said: &Introduction) -> Found {
        match (said.disk_id == disk_id, process == self.process) {
            (true, true) => Found::Itself,
            (true, false) => {
                let now = clock::now();
                Found::Twin(Twin { node: said.node, since: now, heard_at: now, answers: 1 })
            }
            (false, _) if said.node == 0 => Found::Another("a node that waits for a number".to_owned()),
            (false, _) => Found::Another(format!("node {}, with another data directory,", said.node)),
        }
    }

    /// Remembers what was found, and says it if it is news.
    fn note(&self, address: &str, found: Found, why: Option<&CallError>) {
        let known = self.found.borrow().clone();
        let found = match (known, found) {
            // Who was there is not forgotten because it is silent for a moment.
            (Found::Twin(known), Found::Nobody) if known.heard_at.elapsed() < DOUBTED_MAX => return,
            (Found::Twin(known), Found::Twin(heard)) => {
                Found::Twin(Twin { since: known.since, answers: known.answers.saturating_add(1), ..heard })
            }
            (_, found) => found,
        };
        let before = self.found.send_replace(found.clone());
        if before == found || matches!((&before, &found), (Found::Twin(_), Found::Twin(_))) {
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
            Found::Twin(Twin { node, .. }) => tracing::error!(
                address,
                node,
                "another process with this data directory answers at this node's own address: this one acknowledges \
                 nothing, stands for no election, and stops unless the other one does"
            ),
        }
    }

    /// Another process has had this node's address and directory for too long, and has just said so again.
    fn twin(&self) -> Option<u64> {
        match &*self.found.borrow() {
            Found::Twin(twin) => twin.is_proven().then_some(twin.node),
            Found::Unasked | Found::Itself | Found::Nobody | Found::Another(_) => None,
        }
    }
}

impl Twin {
    fn is_proven(self) -> bool {
        let is_fresh = self.heard_at.elapsed() < OWN_ADDRESS_AGAIN;
        is_fresh && self.answers >= DOUBTED_ANSWERS_MIN && self.since.elapsed() >= DOUBTED_MAX
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
            if let Some(said) = own.twin() {
                // A release that names no process does not say its number either; a directory has one.
                let node = if said == 0 { *self.handle.raft.node_id() } else { said };
                return TwinFound { address: address.to_owned(), node, applied: self.handle.status().applied };
            }
            if own.is_doubted() {
                self.hand_over().await;
            }
            tokio::time::sleep(if own.is_clear() { OWN_ADDRESS_INTERVAL } else { OWN_ADDRESS_AGAIN }).await;
        }
    }

    /// Has a voter lead that others reach, and that has most of what was acknowledged here.
    async fn hand_over(&self) {
        self.handle.raft.runtime_config().elect(false);
        let status = self.handle.status();
        if !matches!(status.role, Role::Leader | Role::NoQuorum) {
            return;
        }
        let others = status.members.iter().filter(|(id, member)| **id != status.id && member.voter && !member.silent);
        let Some((next, _)) = others.max_by_key(|(_, member)| member.matched) else { return };
        tracing::warn!(to = next, "this node hands leadership over, because it may run twice");
        // Raft that has stopped says so elsewhere; one that did not hand over is asked again in the next round.
        if let Err(error) = self.handle.hand_over(*next).await {
            tracing::debug!(%error, "the leadership was not handed over");
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
        match &*self.own_address.found.borrow() {
            Found::Another(who) => Some(format!("{who} answers at {address}, this node's own address")),
            Found::Twin(_) => {
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
        for (process, disk_id) in [(7, 20), (0, 21), (9, 21)] {
            hear(&asked, process, disk_id);
            assert!(asked.is_clear());
        }
        assert!(OwnAddress::new(7, None).is_clear(), "there is nothing to ask");
    }

    /// Asks again and again, and is answered so each time.
    async fn hear_for(own: &OwnAddress, time: Duration, process: u64) {
        let until = clock::now() + time;
        while clock::now() < until {
            tokio::time::advance(OWN_ADDRESS_AGAIN).await;
            hear(own, process, 20);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_with_this_directory_ends_this_one_unless_it_goes() {
        let asked = own();
        hear(&asked, 8, 20);
        assert!(!asked.is_clear());
        hear_for(&asked, DOUBTED_MAX - OWN_ADDRESS_AGAIN, 8).await;
        asked.note(AT, Found::Nobody, None);
        assert!(asked.is_doubted(), "it may be silent");
        assert_eq!(asked.twin(), None);
        hear(&asked, 7, 20);
        assert!(asked.is_clear(), "that one was on its way down");
        hear(&asked, 8, 20);
        hear_for(&asked, DOUBTED_MAX, 8).await;
        assert_eq!(asked.twin(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_names_itself_takes_none_that_does_not_for_itself() {
        let asked = own();
        hear(&asked, 0, 20);
        assert!(asked.is_doubted(), "the original is of a release that names no process");
        hear_for(&asked, DOUBTED_MAX, 0).await;
        assert_eq!(asked.twin(), Some(2));
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_and_silence_end_nobody() {
        let asked = own();
        hear(&asked, 8, 20);
        while asked.is_doubted() {
            tokio::time::advance(OWN_ADDRESS_AGAIN).await;
            asked.note(AT, Found::Nobody, None);
            assert_eq!(asked.twin(), None);
        }
        assert!(asked.is_clear(), "and it goes on");
        hear(&asked, 8, 20);
        tokio::time::advance(DOUBTED_MAX).await;
        hear(&asked, 8, 20);
        assert_eq!(asked.twin(), None, "nor do two");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_proven_and_then_silent_ends_nobody() {
        let asked = own();
        hear_for(&asked, DOUBTED_MAX - OWN_ADDRESS_AGAIN, 8).await;
        tokio::time::advance(2 * OWN_ADDRESS_AGAIN).await;
        asked.note(AT, Found::Nobody, None);
        assert_eq!(asked.twin(), None);
    }
}
