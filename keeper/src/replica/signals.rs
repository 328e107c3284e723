//! Wake-ups for those who wait for a change.

use std::collections::HashMap;
use std::sync::Arc;

use keeper_registry::{Event, Incarnation, Revision};
use parking_lot::Mutex;
use tokio::sync::watch;

/// What can be waited on. Each signal carries the revision that last moved it.
#[derive(Debug)]
pub struct Signals {
    configs: watch::Sender<Revision>,
    instances: watch::Sender<Revision>,
    /// Only incarnations that somebody waits for.
    addressed: Mutex<HashMap<Incarnation, watch::Sender<Revision>>>,
}

/// Waits for notices and controls of one incarnation, and for its end.
#[derive(Debug)]
pub struct AddressedSignal {
    incarnation: Incarnation,
    receiver: Option<watch::Receiver<Revision>>,
    signals: Arc<Signals>,
}

impl Signals {
    pub(super) fn new() -> Self {
        Self {
            configs: watch::Sender::new(Revision(0)),
            instances: watch::Sender::new(Revision(0)),
            addressed: Mutex::new(HashMap::new()),
        }
    }

    /// Moves when a document changes.
    #[must_use]
    pub fn configs(&self) -> watch::Receiver<Revision> {
        self.configs.subscribe()
    }

    /// Moves when an instance opens or closes.
    #[must_use]
    pub fn instances(&self) -> watch::Receiver<Revision> {
        self.instances.subscribe()
    }

    /// Moves when there is something for one incarnation, and when it closes.
    #[must_use]
    pub fn addressed(self: &Arc<Self>, incarnation: Incarnation) -> AddressedSignal {
        let mut addressed = self.addressed.lock();
        let sender = addressed.entry(incarnation).or_insert_with(|| watch::Sender::new(Revision(0)));
        let receiver = Some(sender.subscribe());
        AddressedSignal { incarnation, receiver, signals: Arc::clone(self) }
    }

    pub(super) fn tell(&self, revision: Revision, events: &[Event]) {
        for event in events {
            match event {
                Event::Config { .. } => _ = self.configs.send_replace(revision),
                Event::Instances => _ = self.instances.send_replace(revision),
                Event::IncarnationClosed(incarnation) | Event::Notice(incarnation) | Event::Control(incarnation) => {
                    if let Some(sender) = self.addressed.lock().get(incarnation) {
                        sender.send_replace(revision);
                    }
                }
            }
        }
    }

    pub(super) fn tell_everybody(&self, revision: Revision) {
        self.configs.send_replace(revision);
        self.instances.send_replace(revision);
        for sender in self.addressed.lock().values() {
            sender.send_replace(revision);
        }
    }
}

impl AddressedSignal {
    /// Waits for the next move. A move since the last wait counts.
    pub async fn moved(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender lives in `signals` for as long as this receiver does.
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for AddressedSignal {
    fn drop(&mut self) {
        self.receiver = None;
        let mut addressed = self.signals.addressed.lock();
        if addressed.get(&self.incarnation).is_some_and(|sender| sender.receiver_count() == 0) {
            addressed.remove(&self.incarnation);
        }
    }
}
