//! Followers of one document, each on a connection of its own: told of it as processes are.
//!
//! Each text says its number: a watcher that sees a number again has had it twice, and one that sees a later number has
//! missed those between, although a watch promises only the latest.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use keeper_client_sdk::{Configs, Edit, EffectiveChanged, EffectiveWatch, Endpoint, Keeper, Reader};
use tokio::task::JoinSet;

use crate::{
    board::Board,
    document::{document, number_in},
    wait::wait_for,
};

/// Between two updates: five a second.
const PERIOD: Duration = Duration::from_millis(200);

/// Connections being opened at a time.
const OPENING: usize = 64;

/// How long the last update may take to arrive; what has not by then is missed.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(10);

/// Watchers, each with the number it has. They end with it.
pub(crate) struct Crowd {
    has: Vec<Arc<AtomicU64>>,
    tasks: JoinSet<Result<()>>,
}

impl Crowd {
    /// Returns when each has the initial document, whose number is 0.
    pub(crate) async fn open(endpoints: &[Endpoint], watchers: usize, path: &str, board: &Arc<Board>) -> Result<Self> {
        let opened = (0..watchers).map(|watcher| {
            // One node each: a client of several nodes would ask all of them who leads.
            open(&endpoints[watcher % endpoints.len()], path)
        });
        let opened: Vec<_> = stream::iter(opened).buffered(OPENING).try_collect().await?;
        let mut crowd = Self { has: Vec::new(), tasks: JoinSet::new() };
        for (watcher, (keeper, watch)) in opened.into_iter().enumerate() {
            let has = Arc::new(AtomicU64::new(0));
            crowd.has.push(has.clone());
            crowd.tasks.spawn(follow(watcher, keeper, watch, board.clone(), has));
        }
        Ok(crowd)
    }

    /// Waits for the last update, and says how many were missed.
    pub(crate) async fn settle(&self, board: &Board) -> Result<u64> {
        let last = board.updates();
        let behind = || self.has.iter().map(|has| last - has.load(Relaxed).min(last)).sum::<u64>();
        let arrived = wait_for("the last update", ARRIVAL_PATIENCE, async || Ok((behind() == 0).then_some(())));
        // Whoever waits in vain is counted.
        let _ = arrived.await;
        Ok(behind() + board.skipped())
    }
}

/// Publishes a text with a number.
pub(crate) async fn publish(configs: &Configs, path: &str, number: u64) -> Result<()> {
    configs.publish(Edit::put(path, document(number))).await.map(drop).context("publishing")
}

/// Publishes updates when they are due, until the board is full.
pub(crate) async fn publish_all(configs: &Configs, path: &str, board: &Board) {
    // A tick that could not be kept comes at once, with the time it was due.
    let mut ticks = tokio::time::interval(PERIOD);
    for number in 1.. {
        if !board.publishes(number, ticks.tick().await.into_std()) {
            break;
        }
        if let Err(error) = publish(configs, path, number).await {
            board.failed(error);
        }
    }
}

async fn open(endpoint: &Endpoint, path: &str) -> Result<(Keeper, EffectiveWatch)> {
    let keeper = Keeper::builder().endpoint(endpoint.to_string()).name("watcher").build()?;
    let mut watch = keeper.configs().follow([path], Reader::service("watcher"));
    loop {
        let changed = watch.next().await.context("a watch ended before it began")?.context("opening a watch")?;
        // A node that is behind tells of what was there before.
        if numbers(&changed).any(|number| number == 0) {
            return Ok((keeper, watch));
        }
    }
}

/// Holds the client for as long as it watches.
async fn follow(
    watcher: usize,
    _keeper: Keeper,
    mut watch: EffectiveWatch,
    board: Arc<Board>,
    has: Arc<AtomicU64>,
) -> Result<()> {
    while let Some(changed) = watch.next().await {
        for number in numbers(&changed.context("watching")?) {
            board.received(watcher, has.load(Relaxed), number);
            has.fetch_max(number, Relaxed);
        }
    }
    Ok(())
}

fn numbers(changed: &EffectiveChanged) -> impl Iterator<Item = u64> {
    changed.documents.iter().filter_map(|document| number_in(std::str::from_utf8(&document.canonical).ok()?))
}
