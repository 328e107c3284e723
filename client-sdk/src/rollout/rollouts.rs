//! Rollouts for admins.

use std::sync::Arc;

use keeper_proto::v1::{self, rollouts_client::RolloutsClient};
use tonic::{Request, Response, Status, transport::Channel};

use crate::{
    Error, Rollout, RolloutStarted, RolloutStatus, StartRollout,
    connection::{Aim, Nodes, Retry},
    limits,
    rollout::from_proto,
};

/// Rollouts for admins; see [`Keeper::rollouts`](crate::Keeper::rollouts).
///
/// A step that may have happened in spite of an error is not tried again by itself: ask [`get`](Self::get) where the
/// rollout stands.
#[derive(Debug, Clone)]
pub struct Rollouts {
    nodes: Arc<Nodes>,
}

/// Which rollouts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finished {
    /// Those of which something may still come.
    Without,
    /// The others too, as long as they are remembered.
    #[default]
    With,
}

impl Rollouts {
    pub(crate) const fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// Judges the changes as a publish of them is, and opens the first stage, exactly once.
    ///
    /// # Errors
    /// [`Error::Refused`] as [`Configs::publish`](crate::Configs::publish), and when another rollout of one of the
    /// documents is under way; otherwise as [`Error`] says.
    pub async fn start(&self, start: StartRollout) -> Result<RolloutStarted, Error> {
        let request_id = self.nodes.random.request_id();
        self.send_start(start.into_proto(|publish| publish.request_id = request_id)).await
    }

    /// What a rollout would change, for whom and by which steps; starts nothing.
    ///
    /// # Errors
    /// As [`start`](Self::start), but what speaks against it comes in the answer.
    pub async fn dry_run(&self, start: StartRollout) -> Result<RolloutStarted, Error> {
        self.send_start(start.into_proto(|publish| publish.dry_run = true)).await
    }

    /// Opens the stage after `from_stage`, counted from 0, whatever the instances say; publishes after the last one.
    ///
    /// # Errors
    /// [`Error::Refused`] unless `from_stage` is the last open one; otherwise as [`Error`] says.
    pub async fn advance(
        &self,
        rollout: u64,
        from_stage: u32,
        author: impl Into<String>,
    ) -> Result<RolloutStatus, Error> {
        let request = v1::AdvanceRolloutRequest { rollout, from_stage, author: author.into() };
        let method = |channel, request| async move { client(channel).advance(request).await };
        self.step("rollout advance", request, method).await
    }

    /// No further stage opens; those who have the candidates keep them.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn pause(&self, rollout: u64, author: impl Into<String>) -> Result<RolloutStatus, Error> {
        let request = v1::StepRolloutRequest { rollout, author: author.into() };
        let method = |channel, request| async move { client(channel).pause(request).await };
        self.step("rollout pause", request, method).await
    }

    /// Goes on after a pause.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn resume(&self, rollout: u64, author: impl Into<String>) -> Result<RolloutStatus, Error> {
        let request = v1::StepRolloutRequest { rollout, author: author.into() };
        let method = |channel, request| async move { client(channel).resume(request).await };
        self.step("rollout resume", request, method).await
    }

    /// Publishes the candidates now, to everybody; `forced` says why although something speaks against it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn promote(
        &self,
        rollout: u64,
        author: impl Into<String>,
        forced: Option<String>,
    ) -> Result<RolloutStatus, Error> {
        let forced = forced.unwrap_or_default();
        let request = v1::PromoteRolloutRequest { rollout, author: author.into(), forced };
        let method = |channel, request| async move { client(channel).promote(request).await };
        self.step("rollout promote", request, method).await
    }

    /// Ends it: nobody has the candidates from here on.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn abort(
        &self,
        rollout: u64,
        author: impl Into<String>,
        reason: impl Into<String>,
    ) -> Result<RolloutStatus, Error> {
        let request = v1::AbortRolloutRequest { rollout, author: author.into(), reason: reason.into() };
        let method = |channel, request| async move { client(channel).abort(request).await };
        self.step("rollout abort", request, method).await
    }

    /// One rollout, with what its instances say of it.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none of this number, or it is remembered no longer; otherwise as [`Error`]
    /// says.
    pub async fn get(&self, rollout: u64) -> Result<RolloutStatus, Error> {
        self.send_get(v1::GetRolloutRequest { rollout, path: String::new() }).await
    }

    /// The rollout of a document that is under way, or else its last one.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none; otherwise as [`Error`] says.
    pub async fn get_of(&self, path: impl Into<String>) -> Result<RolloutStatus, Error> {
        self.send_get(v1::GetRolloutRequest { rollout: 0, path: path.into() }).await
    }

    /// The rollouts of a document, newest first; of all documents when the path is empty. Linearizable.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list(&self, path: impl Into<String>, finished: Finished) -> Result<Vec<Rollout>, Error> {
        let request = v1::ListRolloutsRequest { path: path.into(), unfinished: finished == Finished::Without };
        let method = |channel, request| async move { client(channel).list(request).await };
        let reply = self.nodes.call("rollout list", Aim::Any, Retry::Safe, request, method).await?;
        reply.rollouts.into_iter().map(from_proto::rollout).collect()
    }

    async fn send_start(&self, request: v1::StartRolloutRequest) -> Result<RolloutStarted, Error> {
        let method = |channel, request| async move { client(channel).start(request).await };
        from_proto::started(self.nodes.call("rollout start", Aim::Leader, Retry::Safe, request, method).await?)
    }

    async fn send_get(&self, request: v1::GetRolloutRequest) -> Result<RolloutStatus, Error> {
        let method = |channel, request| async move { client(channel).get(request).await };
        from_proto::status(self.nodes.call("rollout get", Aim::Leader, Retry::Safe, request, method).await?)
    }

    async fn step<Q, M, F>(&self, operation: &'static str, request: Q, method: M) -> Result<RolloutStatus, Error>
    where
        Q: Clone,
        M: Fn(Channel, Request<Q>) -> F,
        F: Future<Output = Result<Response<v1::RolloutReply>, Status>>,
    {
        from_proto::status(self.nodes.call(operation, Aim::Leader, Retry::Unhappened, request, method).await?)
    }
}

fn client(channel: Channel) -> RolloutsClient<Channel> {
    RolloutsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX)
}
