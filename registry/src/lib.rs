//! The replicated state of Keeper, pure: no IO, no clock, no randomness, no async, no error path.
//!
//! [`State::apply`] is the only way the state changes. Same state, same stamp, same command: same outcome, on every
//! node, for ever, and across versions. A refusal is a reply, never an error: a committed entry cannot fail. Work per
//! command is bounded by the named limits in [`limits`]; long work (reaping the sessions of a dead gateway) is a series
//! of bounded commands. Iteration order of a hash map never reaches an outcome.
//!
//! Deliberately absent: parsing of config formats, leases' deadlines (the leader keeps them in memory and proposes
//! [`Command::Expire`]), encoding (the `keeper` crate owns every byte on disk), and any clock: time is in the [`Stamp`].

mod command;
mod config;
mod control;
mod epoch;
mod instance;
pub mod limits;
mod outcome;
mod record;
mod session;
mod stamp;
mod state;

pub use command::{
    BindTopics, CloseInstance, Command, Format, Frame, Kick, OpenInstance, Publish, DocumentAction, DocumentChange,
    Register, RequestId, SendControl, AcknowledgeControl, SessionKey, SessionOperation, Unregister,
};
pub use epoch::{Epoch, Incarnation, StateId};
pub use outcome::{Event, Holder, Kicked, OperationResult, Outcome, Rejection, Reply};
pub use record::Record;
pub use stamp::{LogTime, Revision, Stamp};
pub use state::State;
