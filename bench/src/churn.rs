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

use crate::fleet::Writer;

/// Callers that register everybody at first.
const LOADERS: usize = 4_096;

/// A population. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Churn {
    writer: Writer,
    people: Arc<Mutex<People>>,
}

/// Who is there, and who is not.
#[derive(Debug, Default)]
struct People {
    online: VecDeque<Seat>,
    offline: VecDeque<u64>,
}

/// Where a user is registered.
#[derive(Debug, Clone, Copy)]
struct Seat {
    user: u64,
    gateway: u64,
    epoch: Epoch,
}

impl Churn {
    /// Of users `first` to `first + online + offline`, the former registered now.
    pub(crate) async fn begin(writer: Writer, first: u64, online: u64, offline: u64) -> Result<Self> {
        let people = People { online: VecDeque::new(), offline: (first..first + online + offline).collect() };
        let churn = Self { writer, people: Arc::new(Mutex::new(people)) };
        let next = Arc::new(AtomicU64::new(0));
        let mut loaders = JoinSet::new();
        for _ in 0..LOADERS {
            let (churn, next) = (churn.clone(), next.clone());
            loaders.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= online {
                        return anyhow::Ok(());
                    }
                    churn.register(number).await.context("registering a population")?;
                }
            });
        }
        while let Some(result) = loaders.join_next().await {
            result.context("registering a population")??;
        }
        Ok(churn)
    }

    /// The user that has been gone longest comes back, to the gateway of a number. One that cannot is forgotten.
    pub(crate) async fn register(&self, gateway: u64) -> Result<()> {
        let Some(user) = self.people.lock().offline.pop_front() else { bail!("everybody is online") };
        let registration = self.writer.users().registration(user)?;
        let epoch = self.writer.gateway(gateway).register(registration).await?.epoch;
        self.people.lock().online.push_back(Seat { user, gateway, epoch });
        Ok(())
    }

    /// The user that has been there longest leaves.
    pub(crate) async fn unregister(&self) -> Result<()> {
        let Some(seat) = self.people.lock().online.pop_front() else { bail!("nobody is online") };
        let key = self.writer.users().key(seat.user)?;
        self.writer.gateway(seat.gateway).unregister(&key, seat.epoch).await?;
        self.people.lock().offline.push_back(seat.user);
        Ok(())
    }
}
