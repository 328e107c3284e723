//! Wake-ups for those who wait for a change.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{Event, Incarnation, Revision};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::followed::Followed;

/// What can be waited on. Each signal carries the revision that last moved it.
#[derive(Debug)]
pub struct Signals {
    configs: watch::Sender<Revision>,
    instances: watch::Sender<Revision>,
    presence: watch::Sender<Revision>,
    kicks: watch::Sender<Revision>,
    rebuild: watch::Sender<Revision>,
    /// Only incarnations that somebody waits for. Ordered: whom a new state wakes first would else be anybody's guess.
    addressed: Mutex<BTreeMap<Incarnation, watch::Sender<Revision>>>,
    pub(super) followed: Mutex<Followed>,
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
            presence: watch::Sender::new(Revision(0)),
            kicks: watch::Sender::new(Revision(0)),
            rebuild: watch::Sender::new(Revision(0)),
            addressed: Mutex::new(BTreeMap::new()),
            followed: Mutex::default(),
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

    /// Moves when there are presence facts: once an entry, however many it made.
    #[must_use]
    pub fn presence(&self) -> watch::Receiver<Revision> {
        self.presence.subscribe()
    }

    /// Moves when a kick by selector begins or ends.
    #[must_use]
    pub fn kicks(&self) -> watch::Receiver<Revision> {
        self.kicks.subscribe()
    }

    /// Moves while the registry is filled again, and when it is whole.
    #[must_use]
    pub fn rebuild(&self) -> watch::Receiver<Revision> {
        self.rebuild.subscribe()
    }

    /// Moves when there is something for one incarnation, and when it closes.
    #[must_use]
    pub fn addressed(self: &Arc<Self>, incarnation: Incarnation) -> AddressedSignal {
        let mut addressed = self.addressed.lock();
        let sender = addressed.entry(incarnation).or_insert_with(|| watch::Sender::new(Revision(0)));
        let receiver = Some(sender.subscribe());
        AddressedSignal { incarnation, receiver, signals: Arc::clone(self) }
    }

    /// Tells of one entry: each signal moves once, however often the entry says so.
    pub(super) fn tell(&self, revision: Revision, events: &[Event]) {
        for event in events {
            let sender = match event {
                Event::Config { .. } | Event::Rollout(_) => &self.configs,
                Event::Instances => &self.instances,
                Event::Presence => &self.presence,
                Event::Kick => &self.kicks,
                Event::Rebuild => &self.rebuild,
                Event::IncarnationClosed(incarnation) | Event::Notice(incarnation) | Event::Control(incarnation) => {
                    if let Some(sender) = self.addressed.lock().get(incarnation) {
                        moved(sender, revision);
                    }
                    continue;
                }
            };
            moved(sender, revision);
        }
    }

    /// Tells those who follow documents of which an entry changed something.
    pub(super) fn tell_followers(&self, revision: Revision, changed: &[Arc<str>]) {
        if !changed.is_empty() {
            self.followed.lock().tell(revision, changed);
        }
    }

    pub(super) fn tell_everybody(&self, revision: Revision) {
        for sender in [&self.configs, &self.instances, &self.presence, &self.kicks, &self.rebuild] {
            sender.send_replace(revision);
        }
        for sender in self.addressed.lock().values() {
            sender.send_replace(revision);
        }
        self.followed.lock().tell_everybody(revision);
    }
}

/// Wakes those who wait, unless this entry has woken them.
pub(super) fn moved(signal: &watch::Sender<Revision>, revision: Revision) {
    signal.send_if_modified(|known| std::mem::replace(known, revision) != revision);
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

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_for_an_incarnation_is_woken_in_one_order() {
        let signals = Arc::new(Signals::new());
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = JoinSet::new();
        for number in (1..=32).rev() {
            let (mut signal, woken) = (signals.addressed(Incarnation(number)), Arc::clone(&woken));
            waiting.spawn(async move {
                signal.moved().await;
                woken.lock().push(number);
            });
        }
        // Fewer than a runtime runs before it comes back here: all of them wait now.
        tokio::task::yield_now().await;
        signals.tell_everybody(Revision(7));
        assert_eq!(waiting.join_all().await.len(), 32);
        assert_eq!(*woken.lock(), (1..=32).collect::<Vec<_>>());
    }
}
