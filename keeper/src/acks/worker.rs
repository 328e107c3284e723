//! Forgets what was said by instances that have closed, and everything when this node leads no more.

use keeper_registry::State;

use super::{Acks, Office};

/// Runs for [`Acks`].
pub struct Worker {
    acks: Acks,
}

impl Worker {
    pub(super) const fn new(acks: Acks) -> Self {
        Self { acks }
    }

    /// Forgets until `stop` resolves.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut leadership = self.acks.leadership.clone();
        let mut instances = self.acks.replica.signals().instances();
        loop {
            leadership.mark_unchanged();
            instances.mark_unchanged();
            let forgotten = self.acks.in_office(|office| {
                self.acks.replica.read(|state| office.follow(state));
                office.table.documents()
            });
            if let Ok(documents) = forgotten {
                self.acks.metrics.acknowledgements_kept.set(documents as u64);
            }
            tokio::select! {
                () = &mut stop => return,
                changed = leadership.changed() => if changed.is_err() { return },
                _ = instances.changed() => {}
            }
        }
    }
}

impl Office {
    fn follow(&mut self, state: &State) {
        match state.instances_changed_since(self.cursor) {
            Some(changes) => changes.closed.iter().for_each(|closed| self.table.forget(closed.incarnation)),
            // More closed than the state remembers.
            None => self.table.retain(|incarnation| state.instance(incarnation).is_some()),
        }
        self.cursor = state.revision();
    }
}
