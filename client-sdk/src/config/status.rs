//! Who reads a document, and who runs with what of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use keeper_proto::v1;
use tokio::time::Instant;

use crate::{
    Configs, Error,
    config::{configs::client, from_proto},
    connection::{Aim, Backoff, Retry, asked},
};

/// Which kinds of processes read a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumers {
    /// The state that answered.
    pub revision: u64,
    /// One for every service, version and schema.
    pub groups: Vec<ConsumerGroup>,
}

/// Processes that read a document by the same program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// Their service.
    pub service: String,
    /// Of their program.
    pub version: String,
    /// How many are open.
    pub instances: u32,
    /// The JSON Schema they read it by; none: they take any value.
    pub schema: Option<ConsumerSchema>,
}

/// What a process reads a document by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSchema {
    /// 128 bits of xxh3 of the text, big-endian.
    pub hash: Bytes,
    /// JSON.
    pub text: Bytes,
}

/// What an instance makes of a revision of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It has said nothing of what it is to run with.
    Waiting,
    /// It runs with it.
    Yes,
    /// It cannot, and runs with what it had.
    Refused,
    /// It runs with it but for fields that only count after a restart.
    NeedsRestart,
}

/// Who runs with what of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigStatus {
    /// The state that answered.
    pub revision: u64,
    /// Since when, in Unix milliseconds, this leader listens: who has not spoken since may have spoken to the one
    /// before.
    pub listening_since_ms: u64,
    /// Open instances that said they read it.
    pub readers: u32,
    /// Those that run with what they are to run with.
    pub applied: u32,
    /// Those that refuse it.
    pub refused: u32,
    /// Those that need a restart for it.
    pub needs_restart: u32,
    /// Those that have said nothing of it.
    pub waiting: u32,
    /// How many are at each revision, newest first; revision 0: nobody knows.
    pub revisions: Vec<(u64, u32)>,
    /// While it was waited: those that read it and have gone without a word that they run with it, so that they may
    /// have died of it, or refused it before they went. Each is missing until one of its name reads it again.
    pub gone: u32,
    /// Those that have closed in order meanwhile, without a word of it. Nobody waits for them.
    pub closed: u32,
    /// Readers that have applied what was waited for or a later one, whatever was published since; not fewer than
    /// `applied`.
    pub reached: u32,
    /// Some of them all, those first that have gone, then those that refuse or lag.
    pub instances: Vec<InstanceConfig>,
}

/// How an instance has gone that read a document while it was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It closed in order, or an admin closed it.
    Closed,
    /// Its lease ran out.
    Expired,
    /// One of its name has opened since, and has not said that it reads the document.
    Replaced,
}

/// What one instance runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceConfig {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub id: String,
    /// Which life of it.
    pub incarnation: u64,
    /// Of its program.
    pub version: String,
    /// What it is to run with.
    pub wanted_revision: u64,
    /// What it spoke about last; 0: nothing.
    pub revision: u64,
    /// What it runs with; 0: nobody knows.
    pub running_revision: u64,
    /// What it says of what it is to run with.
    pub applied: Applied,
    /// Why it refuses, or what needs the restart.
    pub reason: String,
    /// The rollout whose candidates it is to have.
    pub rollout: Option<u64>,
    /// How it has gone; none: it is open.
    pub gone: Option<Gone>,
}

impl ConfigStatus {
    /// Those that are counted: who reads it, and who has died, perhaps of it.
    #[must_use]
    pub const fn all(&self) -> u32 {
        self.readers + self.gone
    }

    /// The share of [`all`](Self::all) that has applied what was waited for, or what it is to run with, in basis
    /// points; all of none are all.
    #[must_use]
    pub fn applied_bps(&self) -> u32 {
        let share = u64::from(self.reached) * 10_000 / u64::from(self.all().max(1));
        if self.all() == 0 { 10_000 } else { u32::try_from(share).unwrap_or(10_000) }
    }

    /// Since when this leader listens.
    #[must_use]
    pub fn listening_since(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.listening_since_ms)
    }
}

/// What is asked of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct StatusOf {
    request: v1::ConfigStatusRequest,
    wait: Duration,
}

impl StatusOf {
    /// Of one document.
    pub fn path(path: impl Into<String>) -> Self {
        let request = v1::ConfigStatusRequest { path: path.into(), ..Default::default() };
        Self { request, wait: Duration::ZERO }
    }

    /// How many instances are told, those first that refuse or lag; at most 1,000, 100 when not set.
    pub const fn limit(mut self, instances: u32) -> Self {
        self.request.limit = instances;
        self
    }

    /// Answers only when a share of the readers, in basis points, applied this revision or a later one, when one of
    /// them refuses it, when nobody reads it, or after `timeout`: at most ten minutes. What was reached is for the
    /// caller to see. Who dies meanwhile without a word is still waited for.
    pub const fn wait(mut self, share_bps: u32, revision: u64, timeout: Duration) -> Self {
        self.request.wait_share_bps = share_bps;
        self.request.wait_revision = revision;
        self.wait = timeout;
        self
    }
}

impl Configs {
    /// Which kinds of processes read a document, and by which schema. Linearizable.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn consumers(&self, path: impl Into<String>) -> Result<Consumers, Error> {
        let request = v1::ConsumersRequest { path: path.into() };
        let method = |channel, request| async move { client(channel).consumers(request).await };
        let reply = self.nodes.call("config consumers", Aim::Any, Retry::Safe, request, method).await?;
        Ok(Consumers { revision: reply.revision, groups: reply.groups.into_iter().map(group).collect() })
    }

    /// Who runs with what of a document, as the leader heard it.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn status(&self, status: StatusOf) -> Result<ConfigStatus, Error> {
        let StatusOf { mut request, wait } = status;
        let settings = &self.nodes.settings;
        let wait_until = Instant::now() + wait;
        let give_up_at = wait_until + settings.operation_timeout;
        let mut backoff = Backoff::new(self.nodes.random.clone());
        loop {
            // Each try waits for what is left: a leader that dies takes the waiting along.
            let left = wait_until.saturating_duration_since(Instant::now());
            request.wait_timeout_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
            let patience = (left + settings.attempt_timeout).min(give_up_at.saturating_duration_since(Instant::now()));
            let method = |channel, request| async move { client(channel).status(request).await };
            let tried = self.nodes.try_once("config status", &Aim::Leader, patience, request.clone(), &method).await;
            let error = match tried {
                Ok(reply) => return Ok(from_proto::status(reply)),
                Err(failure) => failure.error,
            };
            let pause = backoff.next(asked(&error));
            if !error.is_retryable() || Instant::now() + pause >= give_up_at {
                return Err(error);
            }
            self.nodes.pause(pause).await;
        }
    }
}

fn group(group: v1::consumers_reply::Group) -> ConsumerGroup {
    let v1::consumers_reply::Group { service, version, instances, schema_hash: hash, schema: text } = group;
    let schema = (!hash.is_empty()).then_some(ConsumerSchema { hash, text });
    ConsumerGroup { service, version, instances, schema }
}
