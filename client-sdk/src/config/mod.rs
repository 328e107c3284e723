//! Configs: documents as typed structures that change while a process runs.
//!
//! [`Config`] is one document as a type of the application's; [`Configs`] serves admins. All `Config`s of one reader
//! share one stream ([`hub`]): a process that follows a hundred documents costs the cluster what a process with one
//! costs. Formats are never parsed here: the wire carries the canonical JSON value, its layers merged.

mod applicant;
mod builder;
mod compare;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod config;
mod configs;
mod diff;
mod document;
mod effective;
mod follow;
mod from_proto;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod health;
mod hub;
mod kept;
mod listener;
mod marks;
mod publish;
mod published;
mod publishing;
mod reader;
mod readers;
mod schema;
mod slot;
mod status;
mod told;
mod watch;

pub use builder::ConfigBuilder;
pub use compare::{Comments, Compared, Conflict, Merge, Merged, Side};
pub use config::{Change, Config};
pub use configs::{Configs, Detail, Linted, LocalDocument};
pub use diff::{FieldChange, diff};
pub use document::{Document, Documents, Format};
pub use effective::{AppliedLayer, Effective, EffectiveDocument, GivenField, Secrets};
pub use follow::{EffectiveChanged, EffectiveWatch};
pub(crate) use from_proto::published;
#[cfg(any(test, fuzzing))]
pub(crate) use fuzz::followed_reply as fuzz_followed_reply;
pub use health::Health;
#[cfg(any(test, fuzzing))]
pub(crate) use kept::fuzz_kept_file;
pub use kept::{Kept, KeptProblem, LastKnownGood, Origin};
pub use listener::Listener;
pub use publish::{Edit, Publish, Rollback};
pub use published::{Objection, Published, SecretKey, Verdict};
pub use reader::Reader;
pub(crate) use readers::{Readers, Reading};
pub use status::{Applied, ConfigStatus, ConsumerGroup, ConsumerSchema, Consumers, Gone, InstanceConfig, StatusOf};
pub use watch::{ConfigsWatch, Cursor, DocumentsChanged};
