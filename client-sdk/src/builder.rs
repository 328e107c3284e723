//! How a client is set up.

use std::{future::Future, io, sync::Arc, time::Duration};

use http::Uri;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Endpoint, Error, Keeper,
    connection::{Connector, Settings},
    limits,
};

/// Settings of a [`Keeper`]; see [`Keeper::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    endpoints: Vec<String>,
    settings: Settings,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { endpoints: Vec::new(), settings: Settings::default() }
    }

    /// Adds a node to begin with, as `host:port`. One living node is enough: the others are learnt from it.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoints.push(endpoint.into());
        self
    }

    /// Adds nodes to begin with.
    pub fn endpoints(mut self, endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.endpoints.extend(endpoints.into_iter().map(Into::into));
        self
    }

    /// Names this client in its logs.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// How long a call may take, retries included. [`limits::OPERATION_TIMEOUT`] by default.
    pub const fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.settings.operation_timeout = timeout;
        self
    }

    /// How long one try may take before another node is asked. [`limits::ATTEMPT_TIMEOUT`] by default.
    pub const fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = timeout;
        self
    }

    /// How long to wait for a connection to one node. [`limits::CONNECT_TIMEOUT`] by default.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Fixes every choice the client leaves to chance, so that a run can be repeated.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// Opens connections by other means than TCP: a simulated network, a proxy.
    pub fn connector<F, C, S>(mut self, connect: F) -> Self
    where
        F: Fn(Uri) -> C + Send + Sync + 'static,
        C: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.settings.connector = Some(Connector::new(connect));
        self
    }

    /// A client that has not asked anybody yet. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Invalid`] when there is no endpoint or one cannot be read.
    pub fn build(self) -> Result<Keeper, Error> {
        if self.endpoints.is_empty() {
            return Err(Error::invalid("endpoints", "name at least one node, as host:port"));
        }
        if self.endpoints.len() > limits::ENDPOINTS_MAX {
            return Err(Error::invalid("endpoints", format!("at most {} nodes", limits::ENDPOINTS_MAX)));
        }
        let endpoints = self.endpoints.iter().map(|text| Endpoint::parse(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Keeper::new(endpoints, Arc::new(self.settings)))
    }

    /// A client that has heard from a node and knows the members of its cluster.
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::Unavailable`] when no node answers within the operation timeout.
    pub async fn connect(self) -> Result<Keeper, Error> {
        let keeper = self.build()?;
        keeper.greet().await?;
        Ok(keeper)
    }
}
