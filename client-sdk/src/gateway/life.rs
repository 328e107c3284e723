//! One life of a gateway: frames, notices and actions, for as long as its lease.

use std::{convert::Infallible, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Happened, Instance, Lost,
    connection::{Aim, Nodes},
    gateway::{desk::Desk, pace::Pace, reconcile::reconcile, table::Table, ticket::Ticket},
    limits,
    session::{
        NoticeFrames,
        window::Window,
        worker::{Worker, is_final},
    },
};

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Lost(Lost),
    /// The application wants no more of it.
    Stopped,
}

/// What a life works with.
pub(super) struct Life<'a> {
    pub(super) instance: &'a Instance,
    pub(super) desk: &'a Arc<Desk>,
    pub(super) nodes: &'a Arc<Nodes>,
    pub(super) rate: u32,
    pub(super) stop: &'a CancellationToken,
}

impl Life<'_> {
    /// Lives until the lease is lost or the gateway is stopped. Every operation has been answered then.
    pub(super) async fn run(&self) -> End {
        let (queue, items) = mpsc::channel(limits::QUEUE_OPERATIONS_MAX);
        let desk = self.desk.clone();
        let says = Box::new(move || desk.change(Table::margin));
        let window = Window::new(self.instance.incarnation(), self.instance.state_id(), says);
        let worker = Worker::new(self.nodes.clone(), Aim::Leader, window, items);
        // What only one of the streams has heard of ends them all.
        let (fall, fallen) = oneshot::channel();
        let mut end = None;
        let ended = async {
            end = Some(tokio::select! {
                reason = self.instance.lost() => End::Lost(reason),
                () = self.stop.cancelled() => End::Stopped,
                Ok(reason) = fallen => End::Lost(reason),
            });
            Error::Ended { what: "the instance", happened: Happened::No }
        };
        let error = tokio::select! {
            error = worker.run_to_end(ended) => error,
            never = self.feed(queue.clone()) => match never {},
            never = self.confirm(queue.clone()) => match never {},
            never = self.heed(fall) => match never {},
            never = self.mind() => match never {},
        };
        // The cluster may have said it in answer to a frame before the lease is known to be lost.
        end.unwrap_or_else(|| End::Lost(lost_by(&error)))
    }

    /// Puts connections into the queue of frames when something is due for them.
    async fn feed(&self, queue: mpsc::Sender<Ticket>) -> Infallible {
        if self.desk.read(Table::is_catching_up) {
            // Others have lost their leases at the same moment.
            time::sleep(self.nodes.random.within(limits::REREGISTER_SPREAD)).await;
        }
        let mut pace = Pace::new(self.rate, Instant::now());
        loop {
            if self.desk.read(Table::is_catching_up) {
                pace.take().await;
            }
            let Ok(place) = queue.reserve().await else { return std::future::pending().await };
            match self.desk.change(Table::next_due) {
                Some(slot) => place.send(Ticket::new(self.desk.clone(), slot)),
                None => {
                    drop(place);
                    self.desk.fed().await;
                }
            }
        }
    }

    /// Sends a frame for the sake of what it says beside its operations, when none went out by itself.
    async fn confirm(&self, queue: mpsc::Sender<Ticket>) -> Infallible {
        loop {
            self.desk.has_margin().await;
            time::sleep(limits::CONFIRM_DELAY).await;
            if self.desk.read(Table::has_margin) && queue.send(Ticket::for_margin(self.desk.clone())).await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Takes what others did to the sessions into the table.
    async fn heed(&self, fall: oneshot::Sender<Lost>) -> Infallible {
        let mut frames = NoticeFrames::new(self.nodes.clone(), self.instance.incarnation(), self.instance.state_id());
        loop {
            self.desk.has_room().await;
            match frames.next().await {
                Ok(frame) => {
                    if frame.reset {
                        reconcile(self.desk, self.nodes, frame.cursor.clone()).await;
                    }
                    self.desk.change(|table| table.noticed(frame));
                }
                Err(error) => {
                    if is_final(&error) {
                        // The life may be ending already.
                        let _ = fall.send(lost_by(&error));
                    } else {
                        tracing::warn!(%error, "the notices end");
                    }
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Takes actions addressed to this instance, no faster than the application.
    async fn mind(&self) -> Infallible {
        let mut controls = self.instance.controls();
        loop {
            self.desk.has_room_for_controls().await;
            match controls.next().await {
                Some(Ok(addressed)) => self.desk.control(addressed),
                // The stream ends with the life; that it ended is for the lease to say.
                Some(Err(_)) | None => return std::future::pending().await,
            }
        }
    }
}

/// What a refusal of everything says about the lease.
fn lost_by(error: &Error) -> Lost {
    match error.reason() {
        "foreign-state" => Lost::Rebuilt,
        _ => Lost::Ended,
    }
}
