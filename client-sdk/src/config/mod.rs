//! Configs: documents as typed structures that change while a process runs.
//!
//! [`Config`] is one document as a type of the application's; [`Configs`] serves admins. All `Config`s of one client
//! share one watch stream ([`hub`]): a process that follows a hundred documents costs the cluster what a process with
//! one costs. Formats are never parsed here: the wire carries the canonical JSON value beside the text.

#[expect(clippy::module_inception, reason = "a file is named after its one type")]
mod config;
mod configs;
mod diff;
mod document;
mod from_proto;
mod hub;
mod publish;
mod slot;
mod watch;

pub use config::{Change, Config};
pub use configs::{Configs, Detail, Linted, LocalDocument};
pub use diff::{FieldChange, diff};
pub use document::{Document, Documents, Format};
pub(crate) use hub::Hub;
pub use publish::{Edit, Publish, Published};
pub use watch::{ConfigsWatch, Cursor, DocumentsChanged};
