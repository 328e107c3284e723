//! A process that reads documents through the library, as the instance it is: its lease comes and goes, and it refuses
//! what says that it should.

use std::time::Duration;

use futures_util::FutureExt;
use keeper_client_sdk::{Change, Config, Error, InstanceBuilder};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::time::timeout;

use crate::client::{Client, pause};
use crate::documents::{self, PATHS, Place, Reading, Refusal, SERVICE, Taken};

/// How long its leases last.
const TTL: Duration = Duration::from_millis(3_000);

/// How long one life lasts at most before it takes its leave.
const LIFE_MS: std::ops::RangeInclusive<u64> = 3_000..=12_000;

/// How long it is away between two, and before it tries again what failed, at most.
const AWAY_MS: u64 = 200;

/// Reads for ever: what it runs with at the end counts.
pub async fn read_documents(client: Client, boot: u64) {
    let Ok(keeper) = client.keeper() else { return };
    let Place { zone, ring } = documents::place(&client.name);
    let instance = || keeper.instance(SERVICE, &client.name).ttl(TTL).zone(zone).label("ring", ring);
    let reading = instance();
    tokio::join!(live(&client, instance), read(&client, &reading, boot));
}

/// One life after the other; the last one is kept.
async fn live(client: &Client, instance: impl Fn() -> InstanceBuilder) {
    let mut rng = client.rng();
    loop {
        let opened = instance().open().await;
        client.history.count("read-as", &opened);
        if let Ok(open) = opened {
            let life = Duration::from_millis(rng.random_range(LIFE_MS));
            let is_lost = timeout(life, open.lost()).await.is_ok();
            if !is_lost && client.history.is_over() {
                open.lost().await;
            } else if !is_lost {
                // Its lease ends by itself when nobody hears of it.
                _ = open.close().await;
            }
        }
        pause(&mut rng, AWAY_MS).await;
    }
}

async fn read(client: &Client, instance: &InstanceBuilder, boot: u64) {
    let mut rng = client.rng();
    let mut refusing = [false; PATHS.len()];
    let mut a = open(client, instance, PATHS[0], &mut rng).await;
    let mut opening = std::pin::pin!(open(client, instance, PATHS[1], &mut rng));
    // It runs with the first one, however long it refuses the other one.
    let mut b = loop {
        note(client, [Some(&a), None], boot, refusing);
        tokio::select! {
            biased;
            changed = a.changed() => match is_refusing(changed) {
                Some(is_refusing) => refusing[0] = is_refusing,
                None => return,
            },
            b = &mut opening => break b,
        }
    };
    loop {
        note(client, [Some(&a), Some(&b)], boot, refusing);
        let (first, second) = tokio::select! {
            biased;
            first = a.changed() => (Some(first), b.changed().now_or_never()),
            second = b.changed() => (None, Some(second)),
        };
        for (at, changed) in [first, second].into_iter().enumerate() {
            match changed.map(is_refusing) {
                Some(Some(is_refusing)) => refusing[at] = is_refusing,
                Some(None) => return,
                None => {}
            }
        }
    }
}

/// Whether a document keeps its value because what was told does not fit; none when it is read no more.
fn is_refusing(changed: Result<Change<Value>, Error>) -> Option<bool> {
    match changed {
        Ok(_) => Some(false),
        Err(Error::Ended { .. }) => None,
        Err(_) => Some(true),
    }
}

/// Until it works: what it refuses from the start it tries again, until something else is published.
async fn open(client: &Client, instance: &InstanceBuilder, path: &str, rng: &mut StdRng) -> Config<Value> {
    loop {
        let (history, reader) = (client.history.clone(), client.name.clone());
        let fits = move |value: &Value| match documents::refused(value, &reader) {
            None => Ok(()),
            Some(number) => {
                let refusal = Refusal { reader: reader.clone(), number, at_ms: history.now_ms() };
                history.with(|records| records.heard.refusals.push(refusal));
                Err(format!("{reader} does not run with {number}"))
            }
        };
        let opened = instance.config::<Value>(path).validate(fits).or_empty().await;
        client.history.count("read-document", &opened);
        match opened {
            Ok(config) => return config,
            Err(_) => pause(rng, AWAY_MS).await,
        }
    }
}

fn note(client: &Client, documents: [Option<&Config<Value>>; PATHS.len()], boot: u64, refusing: [bool; PATHS.len()]) {
    let reading = |config: &Config<Value>| Reading {
        revision: config.revision(),
        value: Value::clone(&config.borrow()),
        rollout: config.rollout(),
    };
    let (at, is_refusing) = (client.history.moment(), refusing.contains(&true));
    let readings = documents.map(|config| config.map(reading));
    let taken = Taken { at, boot, readings, is_refusing };
    client.history.count("take", &Ok::<(), &str>(()));
    client.history.with(|records| records.heard.taken.entry(client.name.clone()).or_default().push(taken));
}
