//! Consensus: openraft, and everything that touches it.
//!
//! Nothing outside this folder imports openraft. What leaves it is [`RaftHandle`]: propose a batch, confirm a read,
//! follow the leadership, report status. [`start`] puts a node together; [`serve`] serves its peers; [`restore`] writes
//! what a group begins with that goes on from the state of another.

mod contact;
mod driver;
mod encode;
mod entropy;
mod handle;
mod home;
mod identity;
mod introduction;
mod join;
mod leadership;
mod limits;
mod log;
mod machine;
mod members;
mod network;
mod offload;
mod options;
mod overwritten;
mod own_address;
mod peer_service;
mod proposal;
mod read_rounds;
mod removal;
mod restore;
mod send_again;
mod snapshot_builder;
mod snapshot_copy;
mod snapshot_data;
mod snapshot_files;
mod snapshot_schedule;
mod start;
mod status;
mod survey;
mod type_config;
mod vitals;
mod whose;

pub use driver::{RaftDriver, RaftFailed};
#[cfg(any(test, fuzzing))]
pub(crate) use encode::fuzz::PROPERTIES as FUZZ;
pub use entropy::Entropy;
pub use handle::{InitializeRefused, RaftHandle};
pub use home::Home;
pub use identity::Identity;
pub use introduction::Introduction;
pub use join::Standing;
pub use leadership::Leadership;
pub use log::{OpenError, RaftLog};
pub use members::{ChangeError, MeetError, MemberChange};
pub use network::{Connection, Dial, TcpDial};
pub use offload::Offload;
pub use options::RaftOptions;
pub use overwritten::Overwritten;
pub use own_address::TwinFound;
pub use peer_service::{PeerService, serve};
pub use proposal::{PendingProposal, ProposeError, Proposed};
pub use read_rounds::{Confirmed, ReadError};
pub use removal::Removed;
pub use restore::{RESTORE_REVISIONS, RestoreError, RestoreParts, Restored, restore};
pub use snapshot_copy::{SnapshotCopy, SnapshotRefused};
pub use snapshot_data::thaw as read_snapshot;
pub use start::{RaftGroup, RaftParts, RaftStartError, start};
pub use status::{MemberStatus, RaftStatus, Role, StatusWatch};
pub use survey::Announced;
pub use type_config::{Member, TypeConfig};
pub use vitals::MemberVitals;
pub use whose::{Misplaced, misplaced};
