//! Unary calls: a deadline for the whole, one for each try, and retries of what is safe to retry.

use std::{collections::BTreeSet, future::Future, time::Duration};

use tokio::time::{self, Instant};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    Endpoint, Error, Happened,
    connection::{Aim, Backoff, Node, Nodes},
    error::{Failure, UNIMPLEMENTED},
};

/// Whether a call whose outcome is unknown may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// A read, or a write with a request id: twice is as good as once.
    Safe,
    /// A write that would be refused the second time: only as long as it is known that it did not happen.
    Unhappened,
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
        let mut unknowing = Unknowing::default();
        let mut tries = 0;
        loop {
            tries += 1;
            let node = self.pick(&aim)?;
            let patience = self.settings.attempt_timeout.min(deadline.saturating_duration_since(Instant::now()));
            let failure = match self.try_at(operation, &node, &aim, patience, request.clone(), &method).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if failure.error.may_have_happened() {
                happened = Happened::Maybe;
            }
            unknowing.hear(&node.endpoint, &failure.error);
            let again = match retry {
                Retry::Safe => failure.error.is_retryable() && !unknowing.is_sure(),
                Retry::Unhappened => failure.error.is_retryable() && !unknowing.is_sure() && happened == Happened::No,
                Retry::Never => false,
            };
            let pause = backoff.next(asked(&failure.error));
            if !again || Instant::now() + pause >= deadline {
                let error = failure.error.after(happened);
                return Err(if tries > 1 { waited(error, whole) } else { error });
            }
            tracing::debug!(operation, error = %failure.error, "trying again");
            self.pause(pause).await;
        }
    }

    /// One try, by the node that `aim` means now; what it teaches about the leader is remembered.
    pub(crate) async fn try_once<Q, R, M, F>(
        &self,
        operation: &'static str,
        aim: &Aim,
        patience: Duration,
        request: Q,
        method: &M,
    ) -> Result<R, Failure>
    where
        M: Fn(Channel, Request<Q>) -> F,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let node = self.pick(aim).map_err(Failure::silent)?;
        self.try_at(operation, &node, aim, patience, request, method).await
    }

    async fn try_at<Q, R, M, F>(
        &self,
        operation: &'static str,
        node: &Node,
        aim: &Aim,
        patience: Duration,
        request: Q,
        method: &M,
    ) -> Result<R, Failure>
    where
        M: Fn(Channel, Request<Q>) -> F,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        match attempt(operation, node, patience, request, method).await {
            Ok(reply) => {
                if *aim == Aim::Leader {
                    self.leads(&node.endpoint);
                }
                Ok(reply)
            }
            Err(failure) => {
                tracing::debug!(operation, node = %node.endpoint, error = %failure.error, "a try failed");
                self.failed(&node.endpoint, &failure);
                Err(failure)
            }
        }
    }
}

/// The last of several tries may have had a moment left; the caller waited for all of them.
fn waited(error: Error, whole: Duration) -> Error {
    let Error::Timeout { operation, happened, .. } = error else { return error };
    Error::Timeout { operation, after: whole, happened }
}

/// Who did not know a call. Others may, while a cluster is being upgraded, and are asked; but where they all name this
/// node as the one that leads, it is an answer.
#[derive(Debug, Default)]
pub(crate) struct Unknowing {
    heard: BTreeSet<Endpoint>,
    sure: bool,
}

impl Unknowing {
    /// What a node answered.
    pub(crate) fn hear(&mut self, endpoint: &Endpoint, error: &Error) {
        self.sure = error.reason() == UNIMPLEMENTED && !self.heard.insert(endpoint.clone());
    }

    /// Whether the last answer was the second one of a node that does not know the call.
    pub(crate) const fn is_sure(&self) -> bool {
        self.sure
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
        | Error::Kept { .. }
        | Error::Ended { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_know_a_call_is_believed_when_it_is_asked_again() {
        let [old, other] = ["old:7400", "other:7400"].map(|at| Endpoint::parse(at).expect("host and port"));
        let unknown = || Error::Broken { reason: UNIMPLEMENTED.into(), message: String::new(), happened: Happened::No };
        let elsewhere = Error::unreachable("it does not lead", Happened::No);
        let mut unknowing = Unknowing::default();
        for (endpoint, error, sure) in
            [(&old, unknown(), false), (&other, elsewhere, false), (&other, unknown(), false), (&old, unknown(), true)]
        {
            unknowing.hear(endpoint, &error);
            assert_eq!(unknowing.is_sure(), sure, "{endpoint}: {error:?}");
        }
    }
}
