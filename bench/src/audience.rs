//! Subscribers to everybody's presence, each on a connection of its own, all on a thread of their own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use keeper_client_sdk::{Endpoint, Keeper, Presence, Subscription};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::{
    aside::Aside,
    desk::{Desk, Done},
    wait::wait_for,
    witness::Witness,
};

/// Subscribers. They end with it.
pub(crate) struct Audience {
    seats: Vec<Arc<Seat>>,
    lags: Arc<Desk>,
    _tasks: JoinSet<()>,
    _aside: Aside,
}

/// One subscriber.
struct Seat {
    witness: Mutex<Witness>,
    heard_at: Mutex<Instant>,
}

impl Audience {
    /// Each follows from the token on, one node each.
    pub(crate) async fn open(endpoints: &[Endpoint], token: &Bytes, witnesses: Vec<Witness>) -> Result<Self> {
        let aside = Aside::start()?;
        let lags = Arc::new(Desk::new());
        let seat = |witness| Arc::new(Seat { witness: Mutex::new(witness), heard_at: Mutex::new(Instant::now()) });
        let seats: Vec<_> = witnesses.into_iter().map(seat).collect();
        let begun = seats.iter().enumerate().map(|(number, seat)| {
            let (seat, lags, endpoint) = (seat.clone(), lags.clone(), endpoints[number % endpoints.len()].clone());
            let subscription = Subscription::all().after(token.clone());
            (number, seat, lags, endpoint, subscription)
        });
        let begun: Vec<_> = begun.collect();
        let tasks = aside.run(async move {
            let mut tasks = JoinSet::new();
            for (number, seat, lags, endpoint, subscription) in begun {
                tasks.spawn(async move {
                    if let Err(error) = follow(number, &endpoint, subscription, &seat, &lags).await {
                        lags.failed(error);
                    }
                });
            }
            tasks
        });
        let tasks = tasks.await?;
        Ok(Self { seats, lags, _tasks: tasks, _aside: aside })
    }

    /// Waits until each was told of so many facts, and says when the last one was.
    pub(crate) async fn heard(&self, facts: u64, patience: Duration) -> Result<Option<Instant>> {
        let all = || self.seats.iter().all(|seat| seat.witness.lock().heard() >= facts);
        let heard = wait_for("facts for every subscriber", patience, async || Ok(all().then_some(()))).await;
        // Whoever waits in vain is counted among those who missed something.
        Ok(heard.ok().and_then(|()| self.seats.iter().map(|seat| *seat.heard_at.lock()).max()))
    }

    /// From when something was acknowledged to when a subscriber was told, since the last time; and what failed.
    pub(crate) fn take(&self) -> Done {
        self.lags.take()
    }

    /// How many facts all of them together have missed and had twice.
    pub(crate) fn missed_and_duplicates(&self) -> (u64, u64) {
        let each = self.seats.iter().map(|seat| {
            let witness = seat.witness.lock();
            (witness.missed(), witness.duplicates())
        });
        each.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
    }
}

/// Where facts begin that happen after now.
pub(crate) async fn token_of_now(keeper: &Keeper) -> Result<Bytes> {
    keeper.presence(Subscription::all()).opened().await.context("asking where presence stands")
}

/// Only ends with an error.
async fn follow(
    number: usize,
    endpoint: &Endpoint,
    subscription: Subscription,
    seat: &Seat,
    lags: &Desk,
) -> Result<()> {
    let keeper = Keeper::builder().endpoint(endpoint.to_string()).name("subscriber").build()?;
    let mut presence: Presence = keeper.presence(subscription);
    while let Some(frame) = presence.frame().await {
        let frame = frame.context("following presence")?;
        if frame.facts.is_empty() {
            continue;
        }
        let mut witness = seat.witness.lock();
        for lag in frame.facts.iter().filter_map(|fact| witness.hear(fact)) {
            lags.answered(number, lag);
        }
        drop(witness);
        *seat.heard_at.lock() = Instant::now();
    }
    anyhow::bail!("a presence stream has ended")
}
