//! What members have acknowledged to this node as their leader, and who takes it back.
//!
//! An acknowledgement is counted: entries are committed by it. Under one leader an honest member never lacks again what
//! it acknowledged, since it syncs before it answers and nobody but that leader shortens its log. So a conflict at or
//! below it says that the member's directory was put back from an older copy, or lost its log.
//!
//! openraft panics on such a conflict, and takes down the leader, which has the entries. So it never hears of one:
//!
//! - **In answer to entries** it becomes a peer that cannot be reached, with the pauses of one. What the member
//!   acknowledged before stays counted, because it is already committed; it acknowledges nothing new.
//! - **In answer to a heartbeat** it counts as heard, as openraft itself counts a conflict: the member has accepted the
//!   leader's vote. A leader that took it for silent could lose its quorum, and would then be silent itself now and
//!   then, which is when this member and one that was down could elect each other without what was acknowledged.
//!
//! **Sent again.** Where no majority is left without such members, nothing could ever be committed, and the leader's
//! copy would be the only one for as long as it leads. Then openraft is allowed one step back for each of them (see
//! `raft/send_again.rs`), and the one conflict that it is allowed to hear is let through: that which says that the
//! member lacks the last entry that openraft holds to be matched. From then on the member is searched and filled like a
//! new one. Heartbeats are kept out of it: their conflicts come by another connection, and one that is late would name
//! an entry that the member has again.
//!
//! Invariant: what openraft holds to be matched is noted here before it hears of it, whichever connection brought it.
//! Nothing outlives the office: a new leader looks for what matches from the beginning, and mends such a member without
//! noticing.

use std::collections::BTreeMap;

use openraft::alias::{LeaderIdOf, LogIdOf};
use parking_lot::Mutex;

use crate::raft::type_config::TypeConfig;

type LeaderId = LeaderIdOf<TypeConfig>;
type LogId = LogIdOf<TypeConfig>;

/// A data directory as a member of the group: its number, and which disk it is on.
pub(in crate::raft) type Directory = (u64, u64);

/// Shared by all connections of a node.
#[derive(Debug, Default)]
pub(in crate::raft) struct Acknowledged {
    office: Mutex<Office>,
}

/// One leader's time.
#[derive(Debug, Default)]
struct Office {
    leader: Option<LeaderId>,
    members: BTreeMap<Directory, Noted>,
}

#[derive(Debug, Clone, Copy)]
struct Noted {
    /// The last entry that it ever acknowledged.
    upto: LogId,
    /// What openraft holds to be matched.
    matched: Option<LogId>,
    word: Word,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Kept,
    TakenBack,
    /// Taken back, and openraft may hear of it once.
    Allowed,
    /// openraft has heard of it, and sends what is lacked.
    SentAgain,
}

/// What a conflict is the answer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Entries.
    Entries,
    /// A heartbeat.
    Heartbeat,
}

/// What an answer takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TakenBack {
    /// The last entry that was acknowledged.
    pub(super) upto: LogId,
    /// Whether this is the first answer that does.
    pub(super) first: bool,
}

impl Acknowledged {
    /// A member has everything up to an entry.
    pub(super) fn note(&self, leader: LeaderId, member: Directory, upto: LogId) {
        let mut office = self.office.lock();
        let Some(members) = office.of(leader) else { return };
        let noted = members.entry(member).or_insert(Noted { upto, matched: Some(upto), word: Word::Kept });
        noted.matched = noted.matched.max(Some(upto));
        if upto >= noted.upto {
            *noted = Noted { upto, matched: Some(upto), word: Word::Kept };
        }
    }

    /// Whether openraft must not hear that a member lacks an entry, because the member takes back what it acknowledged.
    pub(super) fn taken_back(
        &self,
        leader: LeaderId,
        member: Directory,
        lacks: LogId,
        asked: Asked,
    ) -> Option<TakenBack> {
        let mut office = self.office.lock();
        let noted = office.of(leader)?.get_mut(&member).filter(|noted| lacks <= noted.upto)?;
        let (upto, before) = (noted.upto, noted.word);
        let is_matched = Some(lacks) <= noted.matched;
        match (asked, before) {
            // The search for what it has.
            (Asked::Entries, _) if !is_matched => return None,
            (Asked::Entries, Word::Allowed) => {
                (noted.matched, noted.word) = (None, Word::SentAgain);
                return None;
            }
            (Asked::Heartbeat, Word::Allowed | Word::SentAgain) => {}
            (Asked::Entries | Asked::Heartbeat, _) => noted.word = Word::TakenBack,
        }
        Some(TakenBack { upto, first: matches!(before, Word::Kept | Word::SentAgain) && noted.word == Word::TakenBack })
    }

    /// openraft was allowed one step back of a member that took back what it acknowledged: it hears of it. Says whether
    /// that is how it is with the member.
    pub(in crate::raft) fn allow(&self, leader: LeaderId, member: Directory) -> bool {
        let mut office = self.office.lock();
        let noted = office.of(leader).and_then(|members| members.get_mut(&member));
        let Some(noted) = noted.filter(|noted| noted.word == Word::TakenBack) else { return false };
        noted.word = Word::Allowed;
        true
    }

    /// Whether a member took back what it acknowledged to this leader, and has not made up for it.
    pub(in crate::raft) fn is_taken_back(&self, leader: LeaderId, member: Directory) -> bool {
        let office = self.office.lock();
        let noted = office.members.get(&member).filter(|_| office.leader == Some(leader));
        noted.is_some_and(|noted| noted.word != Word::Kept)
    }

    /// All members that did.
    pub(in crate::raft) fn all_taken_back(&self) -> Vec<u64> {
        let office = self.office.lock();
        let taken_back = office.members.iter().filter(|(_, noted)| noted.word != Word::Kept);
        taken_back.map(|((node, _), _)| *node).collect()
    }
}

impl Office {
    /// What is noted for a leader; nothing for one that has been replaced.
    fn of(&mut self, leader: LeaderId) -> Option<&mut BTreeMap<Directory, Noted>> {
        let leader = Some(leader);
        if self.leader < leader {
            *self = Self { leader, members: BTreeMap::new() };
        }
        (self.leader == leader).then_some(&mut self.members)
    }
}

#[cfg(test)]
mod tests {
    use openraft::vote::RaftLeaderId as _;

    use super::*;

    const MEMBER: Directory = (2, 20);

    fn leader(term: u64) -> LeaderId {
        LeaderId::new(term, 1)
    }

    fn entry(index: u64) -> LogId {
        LogId { leader_id: leader(1).to_committed(), index }
    }

    fn noted(upto: u64) -> Acknowledged {
        let acknowledged = Acknowledged::default();
        acknowledged.note(leader(3), MEMBER, entry(upto));
        acknowledged
    }

    #[test]
    fn what_was_acknowledged_is_taken_back_at_it_and_below_it_and_said_once() {
        let acknowledged = noted(9);
        assert_eq!(
            acknowledged.taken_back(leader(3), MEMBER, entry(10), Asked::Entries),
            None,
            "that is how a log is searched"
        );
        assert!(!acknowledged.is_taken_back(leader(3), MEMBER));
        let first = TakenBack { upto: entry(9), first: true };
        assert_eq!(acknowledged.taken_back(leader(3), MEMBER, entry(9), Asked::Entries), Some(first));
        assert_eq!(
            acknowledged.taken_back(leader(3), MEMBER, entry(4), Asked::Entries),
            Some(TakenBack { first: false, ..first })
        );
        assert!(acknowledged.is_taken_back(leader(3), MEMBER));
    }

    #[test]
    fn an_older_acknowledgement_makes_up_for_nothing_and_the_newest_does() {
        let acknowledged = noted(9);
        assert!(acknowledged.taken_back(leader(3), MEMBER, entry(9), Asked::Entries).is_some());
        acknowledged.note(leader(3), MEMBER, entry(5));
        assert!(acknowledged.is_taken_back(leader(3), MEMBER));
        acknowledged.note(leader(3), MEMBER, entry(9));
        assert!(!acknowledged.is_taken_back(leader(3), MEMBER));
    }

    #[test]
    fn a_member_that_is_sent_everything_again_is_searched_and_makes_up_for_what_it_took_back() {
        let acknowledged = noted(9);
        let taken_back = |index, asked| acknowledged.taken_back(leader(3), MEMBER, entry(index), asked);
        assert!(!acknowledged.allow(leader(3), MEMBER), "it took nothing back");
        assert!(taken_back(9, Asked::Heartbeat).is_some());
        assert!(acknowledged.allow(leader(3), MEMBER) && !acknowledged.allow(leader(3), MEMBER));
        assert!(
            taken_back(9, Asked::Heartbeat).is_some(),
            "openraft would step back, and be told again by the entries"
        );
        assert_eq!(taken_back(9, Asked::Entries), None, "the one that it may hear");
        assert_eq!(taken_back(4, Asked::Entries), None, "the search");
        acknowledged.note(leader(3), MEMBER, entry(5));
        assert!(acknowledged.is_taken_back(leader(3), MEMBER));
        assert!(taken_back(9, Asked::Heartbeat).is_some(), "one that comes late");
        assert_eq!(taken_back(6, Asked::Entries), None);
        acknowledged.note(leader(3), MEMBER, entry(9));
        assert!(!acknowledged.is_taken_back(leader(3), MEMBER));
        assert!(taken_back(9, Asked::Entries).is_some_and(|again| again.first), "one step back was allowed");
    }

    #[test]
    fn a_member_that_is_put_back_while_it_is_sent_everything_again_is_not_heard_of() {
        let acknowledged = noted(9);
        let taken_back = |index| acknowledged.taken_back(leader(3), MEMBER, entry(index), Asked::Entries);
        assert!(taken_back(9).is_some() && acknowledged.allow(leader(3), MEMBER));
        assert_eq!(taken_back(9), None);
        acknowledged.note(leader(3), MEMBER, entry(5));
        assert!(taken_back(5).is_some_and(|again| again.first));
        assert!(acknowledged.allow(leader(3), MEMBER));
        assert_eq!(taken_back(5), None);
    }

    #[test]
    fn another_disk_and_another_leader_are_owed_nothing() {
        let acknowledged = noted(9);
        assert_eq!(acknowledged.taken_back(leader(3), (2, 21), entry(4), Asked::Entries), None);
        assert_eq!(acknowledged.taken_back(leader(2), MEMBER, entry(4), Asked::Entries), None);
        assert_eq!(acknowledged.taken_back(leader(4), MEMBER, entry(4), Asked::Entries), None);
        assert_eq!(acknowledged.taken_back(leader(3), MEMBER, entry(4), Asked::Entries), None, "its office has ended");
    }
}
