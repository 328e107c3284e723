//! Unary calls: a deadline for the whole, one for each try, and retries of what is safe to retry.

use std::{future::Future, time::Duration};

use tokio::time::{self, Instant};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    Error, Happened,
    connection::{Aim, Backoff, Node, Nodes},
    error::Failure,
};

/// Whether a call whose outcome is unknown may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// A read, or a write with a request id: twice is as good as once.
    Safe,
    /// Not even then: the caller asked this node and nobody else.
    Never,
}

impl Nodes {
    /// Sends `request` by `method` to whom `aim` means, until an answer, a refusal or the deadline.
    pub(crate) async fn call<Q, R, M, F>(
        &self,
        operation: &'static str,
        aim: Aim,
        retry: Retry,
        request: Q,
        method: M,
    ) -> Result<R, Error>
    where
        Q: Clone,
        M: Fn(Channel, Request<Q>) -> F,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let whole = self.settings.operation_timeout;
        let deadline = Instant::now() + whole;
        let mut backoff = Backoff::new(self.random.clone());
        let mut happened = Happened::No;
        loop {
            let node = self.pick(&aim)?;
            let patience = self.settings.attempt_timeout.min(deadline.saturating_duration_since(Instant::now()));
            let failure = match attempt(operation, &node, patience, request.clone(), &method).await {
                Ok(reply) => {
                    if aim == Aim::Leader {
                        self.leads(&node.endpoint);
                    }
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            self.failed(&node.endpoint, &failure);
            if failure.error.may_have_happened() {
                happened = Happened::Maybe;
            }
            let again = match retry {
                Retry::Safe => failure.error.is_retryable(),
                Retry::Never => false,
            };
            let pause = backoff.next(asked(&failure.error));
            if !again || Instant::now() + pause >= deadline {
                return Err(failure.error.after(happened));
            }
            tracing::debug!(operation, node = %node.endpoint, error = %failure.error, "trying again");
            self.pause(pause).await;
        }
    }
}

async fn attempt<Q, R, M, F>(
    operation: &'static str,
    node: &Node,
    patience: Duration,
    request: Q,
    method: &M,
) -> Result<R, Failure>
where
    M: Fn(Channel, Request<Q>) -> F,
    F: Future<Output = Result<Response<R>, Status>>,
{
    let mut request = Request::new(request);
    request.set_timeout(patience);
    match time::timeout(patience, method(node.channel.clone(), request)).await {
        Ok(Ok(reply)) => Ok(reply.into_inner()),
        Ok(Err(status)) => Err(Failure::from_status(&status)),
        Err(_) => Err(Failure::gone(Error::Timeout { operation, after: patience, happened: Happened::Maybe })),
    }
}

/// The pause the server asked for.
pub(crate) const fn asked(error: &Error) -> Option<Duration> {
    match error {
        Error::Unavailable { retry_after, .. } => *retry_after,
        Error::Refused { .. }
        | Error::Broken { .. }
        | Error::Timeout { .. }
        | Error::Invalid { .. }
        | Error::Misfit { .. }
        | Error::Ended { .. } => None,
    }
}
