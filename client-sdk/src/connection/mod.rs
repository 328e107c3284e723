//! Which nodes there are, which one leads, and how a call survives the death of either.
//!
//! [`Nodes`] is the one memory of endpoints and of the leader; it does no IO of its own. `call` sends unary calls,
//! [`Link`] keeps a two-way stream, [`Resumed`] a one-way stream with a cursor. All three retry by the same rules: a
//! failure teaches [`Nodes`], a pause follows, the next try asks whom [`Nodes`] names then.
//!
//! One HTTP/2 connection per node, opened by the first call that needs it. A node believed dead is not avoided for any
//! fixed time: a refused connection costs a round trip, and the pause between tries grows.

mod backoff;
mod call;
mod codec;
mod connector;
mod endpoint;
mod link;
mod nodes;
mod resume;
mod scout;
mod settings;

pub(crate) use backoff::Backoff;
pub(crate) use call::{Retry, Unknowing, asked};
pub(crate) use codec::{Incoming, Outgoing};
pub(crate) use connector::Connector;
pub use endpoint::Endpoint;
pub(crate) use link::{Link, LinkEvent, silence};
pub(crate) use nodes::{Aim, Node, Nodes};
pub(crate) use resume::{Follow, Opening, Resumed, follow};
pub(crate) use scout::scout;
pub(crate) use settings::Settings;
