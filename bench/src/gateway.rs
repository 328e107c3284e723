//! A gateway that is going to be killed: a process of its own, because only then nobody closes its lease.
//!
//! It tells its parent on stdout, one line each: `loaded` when every session is registered, and `held MICROSECONDS`
//! (Unix time) whenever a renewal was acknowledged: until then the lease is held without another one. It ends with its
//! stdin, so that it never outlives its parent.

use std::{
    io::Write,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::Keeper;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{Instant, timeout},
};

use crate::{
    cluster::Cluster,
    fleet::{Writer, load},
    users::Users,
};

/// How often it looks whether a renewal was acknowledged: short beside the third of a TTL between two of them.
const LOOK: Duration = Duration::from_millis(5);

/// How long loading may take.
const LOAD_PATIENCE: Duration = Duration::from_secs(600);

/// What the gateway is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[arg(long, value_delimiter = ',')]
    endpoints: Vec<String>,
    #[arg(long)]
    ttl_ms: u64,
    #[arg(long)]
    sessions: u64,
    #[arg(long)]
    seed: u64,
}

/// Runs as the gateway.
pub(crate) async fn serve(args: Args) -> Result<()> {
    let keeper = Keeper::builder().endpoints(&args.endpoints).name("doomed").connect().await.context("connecting")?;
    let builder = keeper.instance("bench-doomed", "gateway").ttl(Duration::from_millis(args.ttl_ms));
    let instance = builder.open().await.context("opening the gateway")?;
    let writer = Writer::new(vec![instance.sessions()], Users::seeded(args.seed));
    let loaded = load(&writer, args.sessions, LOAD_PATIENCE).await?;
    if loaded < args.sessions {
        bail!("{loaded} of {} sessions in {LOAD_PATIENCE:?}", args.sessions);
    }
    tell("loaded")?;
    let mut stdin = tokio::io::stdin();
    let mut byte = [0];
    let mut told = None;
    loop {
        let held = instance.held_until();
        if held.is_none() {
            bail!("the lease was lost: {:?}", instance.lost().await);
        }
        if let Some(until) = held.filter(|_| held != told) {
            tell(&format!("held {}", unix_us(until)?))?;
            told = held;
        }
        // A read that ends is the end of the parent.
        if timeout(LOOK, stdin.read(&mut byte)).await.is_ok() {
            return Ok(());
        }
    }
}

fn tell(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("telling the parent")
}

fn unix_us(instant: Instant) -> Result<u128> {
    let at = SystemTime::now() + instant.saturating_duration_since(Instant::now());
    Ok(at.duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_micros())
}

/// The gateway as its parent holds it. The process ends with it.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Gateway {
    /// Starts it; returns when its sessions are registered.
    pub(crate) async fn start(cluster: &Cluster, ttl: Duration, sessions: u64, seed: u64) -> Result<Self> {
        let own = std::env::current_exe().context("finding this program")?;
        let endpoints: Vec<String> = cluster.endpoints().iter().map(ToString::to_string).collect();
        let mut child = Command::new(own)
            .args(["__gateway", "--endpoints", &endpoints.join(",")])
            .args(["--ttl-ms", &ttl.as_millis().to_string()])
            .args(["--sessions", &sessions.to_string(), "--seed", &seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting a gateway")?;
        let stdout = child.stdout.take().context("a gateway without output")?;
        let mut gateway = Self { child, lines: BufReader::new(stdout).lines() };
        while gateway.line().await? != "loaded" {}
        Ok(gateway)
    }

    /// Kills it right after a renewal was acknowledged, and says until when its lease is held.
    pub(crate) async fn kill(mut self) -> Result<SystemTime> {
        // What it told while nobody listened is old. After the next line there is no renewal for a third of a TTL.
        while let Ok(line) = timeout(LOOK, self.next_held()).await {
            line?;
        }
        let held = self.next_held().await?;
        self.child.kill().await.context("killing the gateway")?;
        Ok(held)
    }

    async fn next_held(&mut self) -> Result<SystemTime> {
        loop {
            if let Some(us) = held_us(&self.line().await?) {
                return Ok(UNIX_EPOCH + Duration::from_micros(us));
            }
        }
    }

    async fn line(&mut self) -> Result<String> {
        self.lines.next_line().await.context("listening to a gateway")?.context("a gateway ended by itself")
    }
}

fn held_us(line: &str) -> Option<u64> {
    line.strip_prefix("held ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        assert_eq!(held_us("held 1700000000000000"), Some(1_700_000_000_000_000));
        assert_eq!(held_us("loaded"), None);
        assert_eq!(held_us("held soon"), None);
    }
}
