//! A gateway's lives, one after another, until it is stopped or another process takes its name.
//!
//! A lease that is lost is followed by a new one. But a name belongs to the newest process that opened it: who finds
//! another holder under its own name after a loss was replaced while it slept, and ends instead of taking the name
//! back, or the two would close each other's leases for ever.

use std::sync::Arc;

use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Instance, InstanceBuilder,
    gateway::{
        desk::Desk,
        life::{End, Life},
        lifetime::Former,
        table,
    },
    limits,
};

pub(super) struct Lives {
    pub(super) builder: InstanceBuilder,
    pub(super) desk: Arc<Desk>,
    pub(super) rate: u32,
    pub(super) stop: CancellationToken,
}

impl Lives {
    /// Runs until the gateway ends.
    pub(super) async fn run(self) {
        let stop = self.stop.clone();
        // Between two lives there is nothing that would have to be ended in order.
        while let Some(Some((instance, announced))) = stop.run_until_cancelled(self.open()).await {
            let (incarnation, state_id) = (instance.incarnation(), instance.state_id());
            self.desk.opened(table::Life { incarnation, state_id }, announced);
            let nodes = self.builder.nodes();
            let life = Life { instance: &instance, desk: &self.desk, nodes, rate: self.rate, stop: &self.stop };
            let reason = match life.run().await {
                End::Lost(reason) => reason,
                End::Stopped => {
                    close(instance).await;
                    break;
                }
            };
            drop(instance);
            self.desk.lost(reason);
            let own = table::Life { incarnation, state_id };
            match stop.run_until_cancelled(self.successor(own)).await {
                Some(None) => {}
                Some(Some(by)) => {
                    tracing::warn!(by, "another process holds this name: the gateway ends");
                    self.desk.change(|table| table.news.replaced(by));
                    break;
                }
                None => break,
            }
        }
        self.desk.end();
    }

    /// A new life, and what it announced; waits for as long as it takes.
    async fn open(&self) -> Option<(Instance, Option<Former>)> {
        loop {
            let announced = self.desk.read(|table| table.former());
            let builder = match announced {
                Some(former) => self.builder.clone().formerly(former.state_id, former.sessions),
                None => self.builder.clone(),
            };
            // One request until it is decided: a lease whose answer was lost is found again.
            let once = builder.once();
            let refused = loop {
                match once.clone().open_once().await {
                    Ok(instance) => return Some((instance, announced)),
                    Err(error) if error.is_retryable() => tracing::warn!(%error, "no lease yet"),
                    Err(error) => break error,
                }
                time::sleep(limits::LIFE_PAUSE).await;
            };
            self.refused(refused);
            time::sleep(limits::LIFE_PAUSE).await;
        }
    }

    fn refused(&self, error: Error) {
        tracing::warn!(%error, "the cluster refuses a lease");
        self.desk.change(|table| {
            table.news.unopened(error);
            table.wakes.events = true;
        });
    }

    /// The incarnation of another process that holds this name, after the own life `own`.
    async fn successor(&self, own: table::Life) -> Option<u64> {
        loop {
            match self.builder.living().await {
                Ok(living) => return living.map(|it| it.incarnation).filter(|it| *it != own.incarnation),
                Err(error) => tracing::warn!(%error, "the lease is lost, and the cluster does not say to whom"),
            }
            time::sleep(limits::LIFE_PAUSE).await;
        }
    }
}

/// One entry ends every session of the gateway.
async fn close(instance: Instance) {
    match time::timeout(limits::LEASE_CLOSE_TIMEOUT, instance.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the lease runs out by itself"),
        Err(_) => tracing::warn!("the lease runs out by itself: nobody answers"),
    }
}
