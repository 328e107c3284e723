//! The handle through which callers reach the worker that looks up for them.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, mpsc::error::TrySendError, oneshot},
    time::{self, Instant},
};

use crate::{
    Consistency, Error, Happened,
    connection::{Aim, Nodes},
    limits,
    session::{
        answer::Answer,
        ask::Ask,
        asking::{Asking, Question},
        worker::Worker,
    },
    tasks::Tasks,
};

#[derive(Clone)]
pub(crate) struct Reader {
    queue: mpsc::Sender<Question>,
    timeout: Duration,
}

impl Reader {
    pub(crate) fn start(tasks: &Tasks, nodes: Arc<Nodes>, aim: Aim) -> Self {
        let (queue, items) = mpsc::channel(limits::QUEUE_OPERATIONS_MAX);
        let timeout = nodes.settings.operation_timeout;
        let span = tracing::info_span!("keeper", client = %nodes.settings.name, task = "lookup");
        let worker = Worker::new(nodes, aim, Asking::new(), items);
        tasks.spawn(span, worker.run(std::future::pending()));
        Self { queue, timeout }
    }

    /// Asks one question to its own answer.
    pub(crate) async fn run(&self, ask: Ask, topic: Bytes, consistency: Consistency) -> Result<Answer, Error> {
        let (answer, answered) = oneshot::channel();
        let asked_at = Instant::now();
        let deadline = asked_at + self.timeout;
        let question = Question { ask, topic, consistency, asked_at, deadline, answer };
        match self.queue.try_send(question) {
            Ok(()) => {}
            Err(TrySendError::Full(question)) => match time::timeout_at(deadline, self.queue.send(question)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ended()),
                Err(_) => {
                    let happened = Happened::No;
                    return Err(Error::Timeout { operation: "lookup", after: self.timeout, happened });
                }
            },
            Err(TrySendError::Closed(_)) => return Err(ended()),
        }
        answered.await.unwrap_or_else(|_| Err(ended()))
    }
}

const fn ended() -> Error {
    Error::Ended { what: "the client", happened: Happened::No }
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reader")
    }
}
