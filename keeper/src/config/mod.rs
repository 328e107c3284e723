//! What a document means to the processes that read it, and whether it may be published: everything about configs that
//! is computed from values alone.
//!
//! Pure functions, below everything that serves: no clock, no task, nothing is read or sent. The proposer judges with
//! them before it proposes; every node computes with them what a process is to run with. No replica does either while
//! it applies an entry.
//!
//! - [`effective()`] is the one rule by which layers become one document, and says which layer gave each field.
//! - [`schema`] reads JSON Schemas, those that admins attach and those that processes announce, within bounds.
//! - [`judge`] finds every effective document that a publish would change and what speaks against each.
//! - [`convert()`] writes a value in another format, or says what cannot be said there.
//! - [`history`] reads the document that says how much of the past is kept.
//! - [`diff()`] and [`merge()`] compare values field by field, [`lines`] texts line by line.
//! - [`secret`] seals single fields, and [`rewrite()`] puts them where they stand in the text; [`masks()`] says which
//!   secret a mask stands for, and [`Lasting`] what is to stay one.
//!
//! Invariants:
//! - Whatever is given, work and memory are bounded by [`limits`]: a schema or a document that would cost more is
//!   refused with a sentence that names the bound.
//! - What is computed depends on the arguments alone, so that two nodes that hold the same documents give a process the
//!   same value.
//!
//! Left out: keeping what was computed for the next who asks (that is the serving node's matter, which knows what is
//! read often), and taking a schema from elsewhere: a `$ref` out of its own text is refused, because what a publish is
//! judged by must lie in the state.

pub mod convert;
pub mod diff;
pub mod effective;
mod field;
pub mod history;
pub mod judge;
mod lasting;
pub mod limits;
pub mod lines;
mod masks;
mod merge;
mod rewrite;
pub mod schema;
pub mod secret;
mod text_merge;

pub use convert::convert;
pub use diff::diff;
pub use effective::effective;
pub use field::{Field, Step};
pub use lasting::Lasting;
pub use masks::{Stays, Unplaced, masks};
pub use merge::merge;
pub use rewrite::{Patience, rewrite};
pub use text_merge::{Kept, Sides, merged_text};
