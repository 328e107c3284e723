//! What clients do all the time, each as a process of its own would.

mod audit;
mod config;
mod follower;
mod hall;
mod lookup;
mod operator;
mod presence;
mod publisher;
mod reader;
mod room;
mod scan;
mod watcher;

pub use audit::{Audit, audit};
pub use config::replace_configs;
pub use follower::{follow_documents, whose};
pub use hall::keep_connections;
pub use lookup::look_up;
pub use operator::{CHANGE, Care, operate};
pub use presence::follow_presence;
pub use publisher::{publish_documents, roll_out_documents};
pub use reader::read_documents;
pub use room::hold_sessions;
pub use scan::walk;
pub use watcher::watch_configs;

use keeper_client_sdk::{Session, SessionKey};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::history::Held;

/// Users that rooms fight for: few, so that they do.
const USERS: u32 = 10;

/// Documents.
const DOCUMENTS: u32 = 3;

/// Somebody.
fn any_user(rng: &mut StdRng) -> String {
    format!("u{}", rng.random_range(0..USERS))
}

/// Every user.
fn users() -> impl Iterator<Item = String> {
    (0..USERS).map(|number| format!("u{number}"))
}

/// Every document.
fn documents() -> impl Iterator<Item = String> {
    (0..DOCUMENTS).map(|number| format!("sim/{number}.json"))
}

fn any_document(rng: &mut StdRng) -> String {
    format!("sim/{}.json", rng.random_range(0..DOCUMENTS))
}

fn key_of(user: &str) -> SessionKey {
    SessionKey::of_user(user.to_owned()).expect("names are short")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn held(session: &Session) -> Held {
    Held { epoch: session.epoch, incarnation: session.owner.incarnation, connection: text(&session.connection) }
}
