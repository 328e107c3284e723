//! The handle through which a gateway's callers reach the worker that writes for them.

use std::{fmt, sync::Arc, time::Duration};

use keeper_proto::v1::session_operation::Operation;
use tokio::{
    sync::{mpsc, mpsc::error::TrySendError, oneshot, watch},
    time::{self, Instant},
};

use crate::{
    Error, Happened, Lost, Notices,
    connection::{Aim, Nodes},
    instance::wait_lost,
    limits,
    session::{
        asker::{Queued, Waiter},
        window::{Margin, Outcome, Window},
        worker::Worker,
    },
    tasks::Tasks,
};

#[derive(Clone)]
pub(crate) struct Registrar {
    queue: mpsc::Sender<Queued>,
    timeout: Duration,
    nodes: Arc<Nodes>,
    /// The worker ends with the client; a gateway's handles keep the client.
    tasks: Arc<Tasks>,
    incarnation: u64,
    state_id: u64,
}

impl Registrar {
    pub(crate) fn start(
        tasks: &Arc<Tasks>,
        nodes: Arc<Nodes>,
        incarnation: u64,
        state_id: u64,
        lost: watch::Receiver<Option<Lost>>,
    ) -> Self {
        let (queue, items) = mpsc::channel(limits::QUEUE_OPERATIONS_MAX);
        let timeout = nodes.settings.operation_timeout;
        let window = Window::new(incarnation, state_id, Box::new(Margin::default));
        let worker = Worker::new(nodes.clone(), Aim::Leader, window, items);
        let ended = async move {
            wait_lost(lost).await;
            ended(Happened::No)
        };
        let span = tracing::info_span!("keeper", client = %nodes.settings.name, task = "registrar", incarnation);
        tasks.spawn(span, worker.run(ended));
        Self { queue, timeout, nodes, tasks: tasks.clone(), incarnation, state_id }
    }

    /// Runs one operation to its own answer.
    pub(crate) async fn run(&self, name: &'static str, operation: Operation) -> Result<Outcome, Error> {
        let (answer, answered) = oneshot::channel();
        let asked_at = Instant::now();
        let deadline = asked_at + self.timeout;
        let queued = Queued { operation, waiter: Waiter { name, asked_at, deadline, answer } };
        match self.queue.try_send(queued) {
            Ok(()) => {}
            Err(TrySendError::Full(queued)) => match time::timeout_at(deadline, self.queue.send(queued)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ended(Happened::No)),
                Err(_) => {
                    return Err(Error::Timeout { operation: name, after: self.timeout, happened: Happened::No });
                }
            },
            Err(TrySendError::Closed(_)) => return Err(ended(Happened::No)),
        }
        answered.await.unwrap_or_else(|_| Err(ended(Happened::Maybe)))
    }

    pub(crate) fn notices(&self) -> Notices {
        Notices::new(self.nodes.clone(), self.tasks.clone(), self.incarnation, self.state_id)
    }
}

const fn ended(happened: Happened) -> Error {
    Error::Ended { what: "the instance", happened }
}

impl fmt::Debug for Registrar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Registrar").field("incarnation", &self.incarnation).finish_non_exhaustive()
    }
}
