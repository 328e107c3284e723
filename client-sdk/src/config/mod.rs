//! Configs: documents as typed structures that change while a process runs.
//!
//! [`Config`] is one document as a type of the application's; [`Configs`] serves admins. All `Config`s of one client
//! share one watch stream ([`hub`]): a process that follows a hundred documents costs the cluster what a process with
//! one costs. Formats are never parsed here: the wire carries the canonical JSON value beside the text.

mod compare;
#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod config;
mod configs;
mod diff;
mod document;
mod effective;
mod from_proto;
mod hub;
mod publish;
mod published;
mod publishing;
mod reader;
mod slot;
mod status;
mod watch;

pub use compare::{Compared, Conflict, Merge, Merged, Side};
pub use config::{Change, Config};
pub use configs::{Configs, Detail, Linted, LocalDocument};
pub use diff::{FieldChange, diff};
pub use document::{Document, Documents, Format};
pub use effective::{AppliedLayer, Effective, EffectiveDocument, GivenField, Secrets};
pub(crate) use from_proto::published;
pub(crate) use hub::Hub;
pub use publish::{Edit, Publish, Rollback};
pub use published::{Objection, Published, Verdict};
pub use reader::Reader;
pub use status::{Applied, ConfigStatus, ConsumerGroup, ConsumerSchema, Consumers, InstanceConfig, StatusOf};
pub use watch::{ConfigsWatch, Cursor, DocumentsChanged};
