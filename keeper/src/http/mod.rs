//! Metrics and health, for machines that watch this one.
//!
//! `/healthz` answers as long as the process does; `/readyz` says whether this node should be sent work, and why not;
//! `/metrics` is a scrape. All are reads: nothing about a node can be changed here, so the port needs no protection of
//! its own beyond `allow_insecure`.
//!
//! [`serve`] is a future and owns nothing else: `node` spawns it, and ends it by its `shutdown` argument.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};

use crate::govern::{Connections, Guarded, Memory};

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether a node should be sent work.
pub trait Readiness: Send + Sync + 'static {
    /// Whether this node knows a leader and has applied what is committed, within bounds.
    ///
    /// # Errors
    /// Why not, in one line.
    fn ready(&self) -> Result<(), String>;
}

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// Every metric.
    pub registry: Arc<Registry>,
    /// Asked anew for each `/readyz`.
    pub readiness: Arc<dyn Readiness>,
}

/// Connections as they come. There are few places for them, and none is kept for somebody who dawdles: whoever comes
/// next takes that of the oldest, so that the port answers whatever else is connected to it.
#[derive(Debug)]
pub struct Visitors {
    listener: TcpListener,
    connections: Arc<Connections>,
    memory: Arc<Memory>,
}

impl Visitors {
    /// Of a listener.
    #[must_use]
    pub const fn new(listener: TcpListener, connections: Arc<Connections>, memory: Arc<Memory>) -> Self {
        Self { listener, connections, memory }
    }
}

impl Listener for Visitors {
    type Io = Guarded<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = Listener::accept(&mut self.listener).await;
        (Guarded::new(io, &self.connections, &self.memory), address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Answers until `shutdown` is done; requests under way are answered still.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    visitors: Visitors,
    pages: Pages,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(pages);
    axum::serve(visitors, router).with_graceful_shutdown(shutdown).await
}

async fn metrics(State(pages): State<Pages>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &pages.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn readyz(State(pages): State<Pages>) -> Response {
    match pages.readiness.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response(),
    }
}
