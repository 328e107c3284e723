//! The table behind its lock, and who waits for it to change.
//!
//! The lock is held for a few map operations and never across an await. Whoever changes the table wakes those who have
//! something to do afterwards.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::{
    Addressed, Lost, SessionKey,
    gateway::{
        GatewayEvent,
        cause::Cause,
        entry::{Entry, Phase},
        lifetime::Former,
        news::Item,
        table::{Life, Name, Table},
    },
    limits,
};

#[derive(Debug)]
pub(super) struct Desk {
    table: Mutex<Table>,
    /// At most `limits::CONTROLS_WAITING_MAX`.
    controls: Mutex<VecDeque<Addressed>>,
    life: watch::Sender<Option<Life>>,
    is_over: watch::Sender<bool>,
    feeder: Notify,
    events: Notify,
    margin: Notify,
    /// There may be room for notices, or for controls.
    notices: Notify,
    minder: Notify,
}

impl Desk {
    pub(super) fn new(name: Name) -> Self {
        Self {
            table: Mutex::new(Table::new(name)),
            controls: Mutex::new(VecDeque::new()),
            life: watch::Sender::new(None),
            is_over: watch::Sender::new(false),
            feeder: Notify::new(),
            events: Notify::new(),
            margin: Notify::new(),
            notices: Notify::new(),
            minder: Notify::new(),
        }
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Table) -> T) -> T {
        read(&self.table.lock())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let mut table = self.table.lock();
        let outcome = change(&mut table);
        let wakes = std::mem::take(&mut table.wakes);
        drop(table);
        if wakes.feeder {
            self.feeder.notify_one();
        }
        if wakes.events {
            self.events.notify_one();
        }
        if wakes.margin {
            self.margin.notify_one();
            self.notices.notify_one();
        }
        outcome
    }

    pub(super) fn opened(&self, life: Life, announced: Option<Former>) {
        self.change(|table| table.opened(life, announced));
        self.life.send_replace(Some(life));
    }

    pub(super) fn lost(&self, reason: Lost) {
        self.life.send_replace(None);
        // They were for the life that is over.
        self.controls.lock().clear();
        self.change(|table| table.lost(reason));
    }

    /// The gateway has ended, and every caller with it.
    pub(super) fn end(&self) {
        self.life.send_replace(None);
        self.change(Table::end_all);
        self.is_over.send_replace(true);
        self.events.notify_one();
    }

    pub(super) fn life(&self) -> watch::Receiver<Option<Life>> {
        self.life.subscribe()
    }

    pub(super) fn is_over(&self) -> bool {
        *self.is_over.borrow()
    }

    /// Resolves when the gateway has ended.
    pub(super) async fn over(&self) {
        let mut is_over = self.is_over.subscribe();
        // The sender lives here.
        let _ = is_over.wait_for(|over| *over).await;
    }

    /// Resolves when operations may be due.
    pub(super) async fn fed(&self) {
        self.feeder.notified().await;
    }

    /// Resolves when the application may have something to be told.
    pub(super) async fn told(&self) {
        self.events.notified().await;
    }

    /// Resolves when a frame should go out for the sake of its margin.
    pub(super) async fn has_margin(&self) {
        while !self.read(Table::has_margin) {
            self.margin.notified().await;
        }
    }

    /// Resolves when another frame of notices may be taken.
    pub(super) async fn has_room(&self) {
        while !self.read(|table| table.confirmations.has_room()) {
            self.notices.notified().await;
        }
    }

    /// Resolves when another action may be taken.
    pub(super) async fn has_room_for_controls(&self) {
        while self.controls.lock().len() >= limits::CONTROLS_WAITING_MAX {
            self.minder.notified().await;
        }
    }

    pub(super) fn control(&self, addressed: Addressed) {
        self.controls.lock().push_back(addressed);
        self.events.notify_one();
    }

    /// What the application is to be told next.
    pub(super) fn next_event(&self) -> Option<GatewayEvent> {
        if let Some(event) = self.change(next_event) {
            return Some(event);
        }
        let addressed = self.controls.lock().pop_front()?;
        self.minder.notify_one();
        let is_drain = addressed.action == "drain";
        Some(if is_drain { GatewayEvent::Drain(addressed) } else { GatewayEvent::Control(addressed) })
    }
}

fn next_event(table: &mut Table) -> Option<GatewayEvent> {
    if let Some(item) = table.news.take_opening() {
        return Some(news(item));
    }
    while let Some(slot) = table.ended.pop_front() {
        let Some(entry) = table.slots.get_mut(slot) else { continue };
        entry.is_untold = false;
        if let Some(cause) = take_cause(entry) {
            return Some(ended(entry.packed.key(), entry.packed.connection(), cause));
        }
        table.sweep(slot);
    }
    table.news.take_closing().map(news)
}

fn news(item: Item) -> GatewayEvent {
    match item {
        Item::Lost { incarnation, reason } => GatewayEvent::Lost { incarnation, reason },
        Item::Unopened(error) => GatewayEvent::Unopened { error },
        Item::Opened { incarnation } => GatewayEvent::Opened { incarnation },
        Item::Reregistered { incarnation } => GatewayEvent::Reregistered { incarnation },
        Item::Replaced { by } => GatewayEvent::Replaced { by },
    }
}

/// None when the application has let go by itself.
fn take_cause(entry: &mut Entry) -> Option<Cause> {
    if entry.phase != Phase::Ended {
        return None;
    }
    entry.take(|more| more.cause.take()).flatten()
}

fn ended(key: SessionKey, connection: Bytes, cause: Cause) -> GatewayEvent {
    match cause {
        Cause::Displaced(by) => GatewayEvent::Displaced { key, connection, by },
        Cause::Kicked { reason, author } => GatewayEvent::Kicked { key, connection, reason, author },
        Cause::Refused(error) => GatewayEvent::Refused { key, connection, error },
    }
}
