//! Users that come and go: the churn of a population, at whatever rate it is asked for.
//!
//! A reconnect is one unregister and one register of the same user some time later, with another gateway. Both halves
//! are operations of their own: users that have left wait in a queue, and whoever registers takes the one that waits
//! longest. So each half can be due at its own time, and a slow one delays no other.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::Epoch;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::{
    fleet::Writer,
    ledger::{Ledger, Step},
};

/// Callers that register many at once.
const LOADERS: usize = 4_096;

/// A population. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Churn {
    writer: Writer,
    people: Arc<Mutex<People>>,
    ledger: Arc<Ledger>,
}

/// Who is there, and who is not, each with the last step of theirs.
#[derive(Debug, Default)]
struct People {
    online: VecDeque<Seat>,
    offline: VecDeque<Step>,
}

/// Where a user is registered.
#[derive(Debug, Clone, Copy)]
struct Seat {
    step: Step,
    gateway: u64,
    epoch: Epoch,
}

impl Churn {
    /// Users that were never there.
    pub(crate) fn new(writer: Writer, users: u64) -> Self {
        let people = People { online: VecDeque::new(), offline: (0..users).map(Step::never).collect() };
        Self { writer, people: Arc::new(Mutex::new(people)), ledger: Arc::new(Ledger::new(users)) }
    }

    /// Lets so many come, as fast as they can.
    pub(crate) async fn load(&self, count: u64) -> Result<()> {
        let next = Arc::new(AtomicU64::new(0));
        let mut loaders = JoinSet::new();
        for _ in 0..LOADERS {
            let (churn, next) = (self.clone(), next.clone());
            loaders.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= count {
                        return anyhow::Ok(());
                    }
                    churn.register(number).await?;
                }
            });
        }
        while let Some(result) = loaders.join_next().await {
            result.context("registering a population")?.context("registering a population")?;
        }
        Ok(())
    }

    /// The user that has been gone longest comes, to the gateway of a number. One that cannot is forgotten.
    pub(crate) async fn register(&self, gateway: u64) -> Result<()> {
        let Some(step) = self.people.lock().offline.pop_front() else { bail!("everybody is online") };
        let step = step.next();
        let registration = self.writer.users().registration_on(step.user, step.connection())?;
        let epoch = self.writer.gateway(gateway).register(registration).await?.epoch;
        self.ledger.acknowledged(step);
        self.people.lock().online.push_back(Seat { step, gateway, epoch });
        Ok(())
    }

    /// The user that has been there longest leaves.
    pub(crate) async fn unregister(&self) -> Result<()> {
        let Some(seat) = self.people.lock().online.pop_front() else { bail!("nobody is online") };
        let key = self.writer.users().key(seat.step.user)?;
        self.writer.gateway(seat.gateway).unregister(&key, seat.epoch).await?;
        let step = seat.step.next();
        self.ledger.acknowledged(step);
        self.people.lock().offline.push_back(step);
        Ok(())
    }

    /// What was written.
    pub(crate) fn ledger(&self) -> Arc<Ledger> {
        self.ledger.clone()
    }
}
