//! Publishing, for admins.

use keeper_proto::v1;

use crate::{
    Configs, Error, Publish, Published, Rollback,
    config::{configs::client, from_proto},
    connection::{Aim, Retry},
};

impl Configs {
    /// Parses, judges and publishes, exactly once: all changes in one revision or none.
    ///
    /// A change is judged by the schemas attached to its path and by every kind of process that reads it, for every
    /// effective document it changes.
    ///
    /// # Errors
    /// [`Error::Refused`] with line and column of a syntax error, with everything that speaks against it in `details`,
    /// or `revision-mismatch`; otherwise as [`Error`] says.
    pub async fn publish(&self, publish: impl Into<Publish>) -> Result<Published, Error> {
        let request_id = self.nodes.random.request_id();
        let request = v1::PublishRequest { request_id, ..publish.into().into_proto() };
        self.send_publish(Aim::Leader, request).await
    }

    /// What a publish would change, for whom, and what speaks against it; publishes nothing.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), but what speaks against it comes in the answer.
    pub async fn dry_run(&self, publish: impl Into<Publish>) -> Result<Published, Error> {
        let request = v1::PublishRequest { dry_run: true, ..publish.into().into_proto() };
        self.send_publish(Aim::Any, request).await
    }

    /// Publishes a past version anew, exactly once, as a publish of it would.
    ///
    /// # Errors
    /// [`Error::Refused`] when the history no longer holds the version; otherwise as [`publish`](Self::publish).
    pub async fn rollback(&self, rollback: Rollback) -> Result<Published, Error> {
        let request_id = self.nodes.random.request_id();
        self.send_rollback(v1::RollbackRequest { request_id, ..rollback.into_proto() }).await
    }

    /// What a rollback would change; publishes nothing.
    ///
    /// # Errors
    /// As [`rollback`](Self::rollback).
    pub async fn dry_run_rollback(&self, rollback: Rollback) -> Result<Published, Error> {
        self.send_rollback(v1::RollbackRequest { dry_run: true, ..rollback.into_proto() }).await
    }

    async fn send_publish(&self, aim: Aim, request: v1::PublishRequest) -> Result<Published, Error> {
        let method = |channel, request| async move { client(channel).publish(request).await };
        self.nodes.call("config publish", aim, Retry::Safe, request, method).await.map(from_proto::published)
    }

    async fn send_rollback(&self, request: v1::RollbackRequest) -> Result<Published, Error> {
        let method = |channel, request| async move { client(channel).rollback(request).await };
        self.nodes.call("config rollback", Aim::Leader, Retry::Safe, request, method).await.map(from_proto::published)
    }
}
