//! A client that writes down what it does.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use keeper_client_sdk::{Error, Keeper, SessionKey};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value;
use tokio::time;

use crate::history::{History, Kind, outcome};

/// The number of the client that looks at the end.
pub(crate) const FINISHER: u32 = 999;

/// A process that does not know how its operation ended is followed by one with a number higher by this.
const PROCESSES: i64 = 1_000;

/// Long enough for an election and a few retries; longer would only leave more operations open at once.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);

/// One try: longer than an election.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);

/// At the end there is no fault left to wait for, but there may be a backlog.
const FINISH_TIMEOUT: Duration = Duration::from_secs(15);

/// Keeps histories readable and checkable; throughput is measured elsewhere.
const PAUSE_MS_MAX: u64 = 20;

/// Where clients come from.
#[derive(Clone)]
pub(crate) struct Office {
    pub(crate) endpoints: Vec<String>,
    pub(crate) history: Arc<History>,
    pub(crate) seed: u64,
}

/// A client, and the process it is in the history.
pub(crate) struct Client {
    pub(crate) keeper: Keeper,
    pub(crate) process: i64,
    pub(crate) random: StdRng,
    pub(crate) history: Arc<History>,
    office: Office,
    number: u32,
}

impl Office {
    pub(crate) async fn client(&self, number: u32) -> Result<Client> {
        let keeper = self.connect(number).await?;
        let random = StdRng::seed_from_u64(self.seed << 32 | u64::from(number));
        let (process, history, office) = (i64::from(number), self.history.clone(), self.clone());
        Ok(Client { keeper, process, random, history, office, number })
    }

    async fn connect(&self, number: u32) -> Result<Keeper> {
        let timeout = if number == FINISHER { FINISH_TIMEOUT } else { OPERATION_TIMEOUT };
        let mut builder = Keeper::builder().name(format!("client-{number}")).operation_timeout(timeout);
        builder = builder.attempt_timeout(ATTEMPT_TIMEOUT).seed(self.seed << 32 | u64::from(number));
        // Each begins elsewhere, so that not all ask the first node first.
        let first = usize::try_from(number)? % self.endpoints.len();
        let order = self.endpoints[first..].iter().chain(&self.endpoints[..first]);
        builder.endpoints(order.cloned()).build().context("a client cannot be built")
    }
}

impl Client {
    /// Another connection to the cluster, and nothing left of the one before.
    pub(crate) async fn reconnect(&mut self) -> Result<()> {
        self.keeper = self.office.connect(self.number).await?;
        Ok(())
    }

    /// Another client, that is another process in the history.
    pub(crate) async fn companion(&self, number: u32) -> Result<Self> {
        self.office.client(number).await
    }

    /// Does one operation and writes down how it ended. Returns what was answered, if it was.
    pub(crate) async fn run<T>(
        &mut self,
        f: &'static str,
        key: &str,
        asked: Value,
        operation: impl Future<Output = Result<T, Error>>,
        answer: impl FnOnce(&T) -> Value,
    ) -> Result<Option<T>> {
        self.history.add(self.process, Kind::Invoke, f, key, asked)?;
        match operation.await {
            Ok(answered) => {
                self.history.add(self.process, Kind::Ok, f, key, answer(&answered))?;
                Ok(Some(answered))
            }
            Err(error) => {
                let (kind, reason) = outcome(&error);
                self.history.add(self.process, kind, f, key, reason)?;
                if kind == Kind::Info {
                    self.process += PROCESSES;
                }
                Ok(None)
            }
        }
    }

    /// Writes down something the client knows by itself.
    pub(crate) async fn note(&mut self, f: &'static str, key: &str, asked: Value, answer: Value) -> Result<()> {
        self.run(f, key, asked, async { Ok(()) }, |()| answer).await.map(drop)
    }

    pub(crate) async fn pause(&mut self) {
        time::sleep(Duration::from_millis(self.random.random_range(0..=PAUSE_MS_MAX))).await;
    }

    /// Every key that was met by the named operations so far.
    pub(crate) fn keys(&self, of: &[&str]) -> Result<BTreeSet<String>> {
        let events = self.history.close()?;
        let met = events.iter().filter(|it| it.process >= 0 && of.contains(&&*it.f)).map(|it| it.key.clone());
        Ok(met.collect())
    }
}

pub(crate) fn session_key(key: &str) -> Result<SessionKey> {
    Ok(SessionKey::of_user(key.to_owned())?)
}
