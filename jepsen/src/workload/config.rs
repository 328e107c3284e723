//! `config`: one client publishes pairs of documents and asks who runs with them, one rolls pairs out, the others are
//! rooms that run with them; some of what is rolled out is refused by one of those who get it first.

mod admin;
mod room;

use keeper_client_sdk::{Edit, Publish};

use super::{Crowd, client::Client};

pub(super) use admin::finish;

/// What rooms read; both are always published together, by the same number.
pub(super) const PATHS: [&str; 2] = ["jepsen/room/a.json", "jepsen/room/b.json"];

/// What both are called in the history.
const PAIR: &str = "jepsen/room";

/// What rooms are.
const SERVICE: &str = "config-room";

/// The clients before the rooms.
const ADMINS: u32 = 2;

/// Numbers of the client that rolls out begin here, and the last one of all is beyond them.
const ROLLED_FROM: u64 = 1_000_000_000;

/// What is published last.
const LAST: u64 = 2 * ROLLED_FROM;

/// Whether a room is among those who get first what is rolled out.
pub(crate) fn is_first(room: &str) -> bool {
    room.strip_prefix("room-").and_then(|number| number.parse::<u32>().ok()).is_some_and(|it| it.is_multiple_of(2))
}

pub(super) fn spawn(crowd: &mut Crowd, client: Client, number: u32) {
    match number {
        0 => drop(crowd.workers.spawn(admin::publish(client, crowd.stop.clone()))),
        1 => drop(crowd.workers.spawn(admin::roll_out(client, crowd.stop.clone()))),
        _ => {
            let until = crowd.last_revision.subscribe();
            crowd.followers.spawn(room::run(client, format!("room-{number}"), until));
        }
    }
}

/// Both documents, and the room that refuses them.
fn pair(number: u64, refused_by: Option<&str>) -> Publish {
    let text = match refused_by {
        None => format!("{{\"number\": {number}}}"),
        Some(room) => format!("{{\"number\": {number}, \"refused_by\": \"{room}\"}}"),
    };
    PATHS.iter().fold(Publish::default(), |publish, path| publish.and(Edit::put(*path, text.clone())))
}
