//! How the members are: room on their disks, and whether their states agree.
//!
//! The leader asks every member a few times a second, and acts on what it hears.
//!
//! **Room.** Growth is refused while the leader has too little, or so many voters that the others are no quorum: a
//! quorum whose disks are full cannot even end anything. One follower that is short keeps following.
//!
//! **Hashes.** Replicas are held against each other at the same entries. With a majority of the voters on one side,
//! those on the other are proven to differ and are told so; without one it is an alarm, and nobody is convicted. A
//! replica that was proven to differ stays in the group, because its log is as good as anybody's and the group may need
//! its vote; but its state answers nobody, makes no snapshots and does not lead. A leader in the minority hands over.
//! To stop such a node instead would have its supervisor start it again, to serve what is wrong until it is found
//! again.
//!
//! Between the moment two replicas part and the next question lies a fraction of a second in which what is wrong is
//! served.

mod judge;
mod message;
mod rounds;

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::Shortage;
use parking_lot::Mutex;

use super::handle::RaftHandle;
use super::limits::CHECKPOINTS_TOLD;
use super::snapshot_schedule::SnapshotSchedule;
use crate::replica::{Difference, Replica};
use crate::store::{Room, Space};

pub(super) use message::{Question, Report};
pub(super) use rounds::VitalsRounds;

/// A member, as the leader knows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemberVitals {
    /// Its disk, if it has said.
    pub room: Option<Room>,
    /// Where its state was last found to differ.
    pub difference: Option<Difference>,
}

/// What a node knows of itself, and of the others if it leads.
#[derive(Debug)]
pub(super) struct Vitals {
    space: Space,
    replica: Arc<Replica>,
    schedule: Arc<SnapshotSchedule>,
    shortage: Mutex<Option<Shortage>>,
    members: Mutex<BTreeMap<u64, MemberVitals>>,
}

impl Vitals {
    pub(super) fn new(space: Space, replica: Arc<Replica>, schedule: Arc<SnapshotSchedule>) -> Self {
        Self { space, replica, schedule, shortage: Mutex::default(), members: Mutex::default() }
    }

    /// This node's disk.
    pub(super) fn room(&self) -> Option<Room> {
        self.space.room(self.schedule.next_snapshot_bytes())
    }

    /// Whether the next snapshot fits, as far as can be known before it is written.
    pub(super) fn fits_snapshot(&self) -> bool {
        let bytes = self.schedule.next_snapshot_bytes();
        self.space.room(bytes).is_none_or(|room| room.free_bytes >= bytes)
    }

    /// Whether a peer's snapshot may go on coming: the log is on the same disk.
    pub(super) fn spares_log(&self) -> bool {
        self.space.spares_log()
    }

    /// A state that is not that of the others is kept nowhere.
    pub(super) fn is_sound(&self) -> bool {
        self.replica.difference().is_none()
    }

    fn report(&self) -> Report {
        let (now, checkpoints) = self.replica.checkpoints(CHECKPOINTS_TOLD);
        Report { room: self.room(), now, checkpoints, proven: self.replica.difference() }
    }

    /// A leader asks, and says what it found of this node.
    pub(super) fn answer(&self, question: Question) -> Report {
        // Of a state that is gone, the verdict says nothing.
        let is_own = |proven: &Difference| self.replica.hash_at(proven.index) == Some(proven.found);
        if let Some(proven) = question.proven.filter(is_own) {
            self.replica.doubt(proven);
        }
        self.report()
    }
}

impl RaftHandle {
    /// Why nothing may grow now; asked where this node leads.
    #[must_use]
    pub fn shortage(&self) -> Option<Shortage> {
        *self.vitals.shortage.lock()
    }

    /// This node's disk.
    #[must_use]
    pub fn room(&self) -> Option<Room> {
        self.vitals.room()
    }

    /// The members as the leader knows them; nobody on any other node.
    #[must_use]
    pub fn member_vitals(&self) -> BTreeMap<u64, MemberVitals> {
        self.vitals.members.lock().clone()
    }

    /// The proof that this node's state differs from that of the others.
    #[must_use]
    pub fn difference(&self) -> Option<Difference> {
        self.vitals.replica.difference()
    }
}
