//! What documents are judged by, sealed with, and given as: made once, and shared by all who need it. And what becomes
//! of them: what processes make of them, and who drives rollouts by that.

use std::sync::Arc;

use crate::acks::Acks;
use crate::clock::WallClock;
use crate::config::schema::Compiled;
use crate::config::secret::KeyRing;
use crate::merged::Merges;
use crate::metrics::Metrics;
use crate::node::start::{Parts, Runtimes};
use crate::node::tasks::Tasks;
use crate::propose::Proposer;
use crate::publish::{Nonces, Publisher};
use crate::raft::{Offload, RaftHandle};
use crate::replica::Replica;
use crate::rollout::{Driver, Promotions};
use crate::rpc;
use crate::view::View;

/// The parts that are about documents.
#[derive(Debug)]
pub(super) struct Documents {
    compiled: Arc<Compiled>,
    merges: Arc<Merges>,
    keys: Arc<KeyRing>,
    nonces: Nonces,
    offload: Offload,
    wall: WallClock,
}

/// What they stand on.
pub(super) struct Ground<'a> {
    pub(super) replica: &'a Arc<Replica>,
    pub(super) raft: &'a RaftHandle,
    pub(super) view: &'a View,
    pub(super) proposer: &'a Proposer,
    pub(super) metrics: &'a Arc<Metrics>,
}

impl Documents {
    pub(super) fn of(parts: &Parts) -> Self {
        let (keys, nonces) = (Arc::clone(&parts.keys), parts.nonces.clone());
        let compiled = Arc::<Compiled>::default();
        let merges = Arc::new(Merges::new(Arc::clone(&keys), Arc::clone(&compiled)));
        Self { compiled, merges, keys, nonces, offload: parts.offload, wall: parts.wall.clone() }
    }

    pub(super) fn merges(&self) -> Arc<Merges> {
        Arc::clone(&self.merges)
    }

    /// Puts together what handlers call, and has its tasks run.
    pub(super) fn begin(self, services: &mut Tasks, runtimes: &Runtimes, ground: &Ground<'_>) -> rpc::Documents {
        let Ground { replica, raft, view, proposer, metrics } = *ground;
        let Self { compiled, merges, keys, nonces, offload, wall } = self;
        let counting = Arc::clone(metrics);
        let publisher =
            Publisher::new(view.clone(), proposer.clone(), Arc::clone(&compiled), keys, nonces, offload, counting);
        let acks = Acks::new(Arc::clone(replica), raft, merges, Arc::clone(metrics));
        let driver = Driver::new(Arc::clone(replica), acks.clone(), wall);
        let promotions = Promotions::new(proposer.clone(), publisher.clone());
        let forgetting = acks.worker();
        services.spawn_service(runtimes, "acknowledgements", move |stop| forgetting.run(stop));
        let driving = driver.clone().worker(raft.clone(), proposer.clone(), promotions.clone(), Arc::clone(metrics));
        services.spawn_service(runtimes, "rollouts", move |stop| driving.run(stop));
        rpc::Documents { compiled, publisher, acks, driver, promotions }
    }
}
