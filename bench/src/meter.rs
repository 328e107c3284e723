//! What a measurement cost: time, processor time on both sides, memory.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::process::Usage;

/// The side that serves.
pub(crate) trait Serving {
    /// What its processes have used; none when they are not ours to look at.
    fn usage(&self) -> Result<Option<Served>>;
}

/// What serving processes have used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Served {
    /// All of them together.
    pub(crate) cpu_s: f64,
    /// The largest of them.
    pub(crate) rss_bytes: u64,
}

/// Nobody serves: the disk is measured.
pub(crate) struct Nobody;

impl Serving for Nobody {
    fn usage(&self) -> Result<Option<Served>> {
        Ok(None)
    }
}

/// A measurement that runs.
pub(crate) struct Meter {
    begun: Instant,
    server: Option<Served>,
    client: Usage,
}

/// What a measurement cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    pub(crate) server_cpu_s: Option<f64>,
    pub(crate) client_cpu_s: f64,
    pub(crate) rss_bytes: Option<u64>,
}

impl Meter {
    pub(crate) fn start(server: &impl Serving) -> Result<Self> {
        Ok(Self { begun: Instant::now(), server: server.usage()?, client: own_usage()? })
    }

    pub(crate) fn stop(self, server: &impl Serving) -> Result<Cost> {
        let (before, now) = (self.server, server.usage()?);
        let spent = before.zip(now).map(|(before, now)| now.cpu_s - before.cpu_s);
        Ok(Cost {
            seconds: self.begun.elapsed().as_secs_f64(),
            server_cpu_s: spent,
            client_cpu_s: own_usage()?.cpu_s - self.client.cpu_s,
            rss_bytes: now.map(|it| it.rss_bytes),
        })
    }
}

fn own_usage() -> Result<Usage> {
    Usage::of(std::process::id()).context("reading what this process has used")
}
