//! What a node counts, read from its HTTP port in the text format of Prometheus.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long a node may take to tell what it counts.
const PATIENCE: Duration = Duration::from_secs(5);

/// One scrape.
#[derive(Debug)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// Scrapes `host:port`.
    pub(crate) async fn scrape(address: &str) -> Result<Self> {
        let text = timeout(PATIENCE, fetch(address)).await.context("waiting for metrics")??;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { bail!("{address} answered no HTTP") };
        if !head.lines().next().is_some_and(|status| status.contains(" 200")) {
            bail!("{address} refused its metrics: {head}");
        }
        Ok(Self(body.to_owned()))
    }

    /// The sum of all samples of this name with this label; none when there is no such sample.
    pub(crate) fn sum(&self, name: &str, label: &str) -> Option<f64> {
        let samples = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (found, labels) = series.split_once('{').unwrap_or((series, ""));
            (found == name && labels.contains(label)).then(|| value.parse::<f64>().ok())?
        });
        samples.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }
}

async fn fetch(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    // HTTP/1.0 without keep-alive: the answer ends where the connection does, and comes in one piece.
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.context("asking for metrics")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.context("reading metrics")?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_by_name_and_label() {
        let text = "# HELP keeper_proposals Proposals.\nkeeper_proposals_total{lane=\"upkeep\",outcome=\"done\"} 7\n\
                    keeper_proposals_total{lane=\"upkeep\",outcome=\"full\"} 1\n\
                    keeper_proposals_total{lane=\"session\",outcome=\"done\"} 90\nkeeper_snapshot_seconds_sum 1.5\n";
        let metrics = Metrics(text.into());
        assert_eq!(metrics.sum("keeper_proposals_total", "lane=\"upkeep\""), Some(8.0));
        assert_eq!(metrics.sum("keeper_snapshot_seconds_sum", ""), Some(1.5));
        assert_eq!(metrics.sum("keeper_snapshot_seconds", ""), None);
    }
}
