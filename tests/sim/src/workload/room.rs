//! A gateway by hand: one lease after another, and sessions registered, bound and given up under it.

use std::time::Duration;

use bytes::Bytes;
use keeper_client_sdk::{Epoch, Error, Instance, Registration};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::{any_user, key_of, text};
use crate::client::{Client, pause};
use crate::history::{Lease, NEVER, Register, Removal};

/// How long its leases last: short, so that faults outlast them.
const TTL: Duration = Duration::from_millis(2_000);

/// Pause between two operations at most.
const PAUSE_MS: u64 = 30;

/// Lives until it is told to end.
pub async fn hold_sessions(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let mut rng = client.rng();
    let mut serial = 0;
    while !client.history.is_over() {
        let opened = keeper.instance("room", &client.name).ttl(TTL).open().await;
        client.history.count("open", &opened);
        let Ok(instance) = opened else { continue };
        live(&client, instance, &mut rng, &mut serial).await;
    }
}

/// One life, until the lease is lost or given up.
async fn live(client: &Client, instance: Instance, rng: &mut StdRng, serial: &mut u64) {
    let incarnation = instance.incarnation();
    let ttl_ms = u64::try_from(TTL.as_millis()).unwrap_or(u64::MAX);
    let holder = client.name.clone();
    let lease = Lease { holder, held_until_ms: 0, ttl_ms, closing: NEVER, closed: NEVER };
    client.history.with(|records| records.leases.insert(incarnation, lease));
    let mut mine: Vec<(String, Epoch)> = Vec::new();
    while instance.is_held() && !client.history.is_over() {
        note(client, &instance);
        match rng.random_range(0..100) {
            0..55 => register(client, &instance, rng, serial, &mut mine).await,
            55..80 => unregister(client, &instance, rng, &mut mine).await,
            80..98 => bind(client, &instance, rng, &mine).await,
            _ => break,
        }
        note(client, &instance);
        pause(rng, PAUSE_MS).await;
    }
    if client.history.is_over() {
        // What stands at the end stays, to be audited: the lease is kept for as long as the process lives.
        keep(client, &instance).await;
    }
    let began = client.history.moment();
    client.history.with(|records| {
        records.leases.entry(incarnation).and_modify(|lease| lease.closing = lease.closing.min(began));
    });
    // One that is not held any more is not closed, but forgotten.
    let was_held = instance.is_held();
    let closed = instance.close().await;
    client.history.count("close", &closed);
    if closed.is_ok() && was_held {
        let ended = client.history.moment();
        client.history.with(|records| {
            records.leases.entry(incarnation).and_modify(|lease| lease.closed = ended);
        });
    }
}

async fn keep(client: &Client, instance: &Instance) {
    while instance.is_held() {
        note(client, instance);
        tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
    }
}

/// Writes down until when the lease is held, as the library reckons.
fn note(client: &Client, instance: &Instance) {
    let Some(until) = instance.held_until() else { return };
    let left = until.saturating_duration_since(Instant::now());
    let until_ms = client.history.now_ms() + u64::try_from(left.as_millis()).unwrap_or(0);
    client.history.with(|records| {
        let lease = records.leases.entry(instance.incarnation());
        lease.and_modify(|lease| lease.held_until_ms = lease.held_until_ms.max(until_ms));
    });
}

async fn register(
    client: &Client,
    instance: &Instance,
    rng: &mut StdRng,
    serial: &mut u64,
    mine: &mut Vec<(String, Epoch)>,
) {
    let user = any_user(rng);
    *serial += 1;
    let incarnation = instance.incarnation();
    let connection = format!("{}-{incarnation}-{serial}", client.name);
    let began = client.history.moment();
    let key = user.clone();
    let asked = Register { key, incarnation, began, ended: NEVER, epoch: None, displaced: None, is_refused: false };
    client.history.with(|records| records.registers.insert(connection.clone(), asked));
    let registration = Registration::new(key_of(&user)).connection(connection.clone()).topic("all");
    let answer = instance.sessions().register(registration).await;
    client.history.count("register", &answer);
    client.history.count_refused(&answer);
    let ended = client.history.moment();
    let is_refused = answer.as_ref().is_err_and(|error| !error.may_have_happened());
    client.history.with(|records| {
        records.registers.entry(connection).and_modify(|asked| {
            asked.is_refused = is_refused;
            if let Ok(registered) = &answer {
                (asked.ended, asked.epoch) = (ended, Some(registered.epoch));
                asked.displaced = registered.displaced.as_ref().map(|it| text(&it.connection));
            }
        });
    });
    if let Ok(registered) = answer {
        mine.retain(|(held, _)| *held != user);
        mine.push((user, registered.epoch));
    }
}

async fn unregister(client: &Client, instance: &Instance, rng: &mut StdRng, mine: &mut Vec<(String, Epoch)>) {
    if mine.is_empty() {
        return;
    }
    let (key, epoch) = mine.swap_remove(rng.random_range(0..mine.len()));
    let began = client.history.moment();
    let at = client.history.with(|records| {
        records.removals.push(Removal { key: key.clone(), epoch, began, ended: NEVER, has_found: false });
        records.removals.len() - 1
    });
    let answer = instance.sessions().unregister(&key_of(&key), epoch).await;
    client.history.count("unregister", &refusal_is_an_answer(&answer));
    client.history.count_ended(&answer);
    let ended = client.history.moment();
    // A refusal says that the session was over before.
    if answer.is_ok() || matches!(answer, Err(Error::Refused { .. })) {
        client.history.with(|records| {
            (records.removals[at].ended, records.removals[at].has_found) = (ended, answer.is_ok());
        });
    }
}

async fn bind(client: &Client, instance: &Instance, rng: &mut StdRng, mine: &[(String, Epoch)]) {
    if mine.is_empty() {
        return;
    }
    let (key, epoch) = &mine[rng.random_range(0..mine.len())];
    let topic = Bytes::from(format!("t{}", rng.random_range(0..4)));
    let answer = instance.sessions().bind(&key_of(key), *epoch, vec![topic]).await;
    client.history.count("bind", &refusal_is_an_answer(&answer));
}

fn refusal_is_an_answer(answer: &Result<(), Error>) -> Result<(), &Error> {
    match answer {
        Ok(()) | Err(Error::Refused { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
