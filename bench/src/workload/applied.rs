//! From the call that publishes a document until every process that reads it has said that it runs with it.
//!
//! Each reader is a client of its own, as a process is: with a lease, a stream of its documents and its word to the
//! leader. The publisher then asks for the status, which answers once all have spoken: what `keeperctl config put
//! --wait 100%` does.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt, stream};
use keeper_client_sdk::{Config, Edit, Endpoint, Instance, Keeper, StatusOf};
use serde::Serialize;
use serde_json::Value;

use crate::{
    bench::Bench,
    cluster::growth,
    document::{SCHEMA, document},
    latency::Latencies,
    meter::Meter,
    report::{Figures, Row},
    workload::publish::attach,
};

const READERS: [usize; 1] = [1_000];

/// Publishes before anything is measured.
const WARM_UP: u64 = 5;

/// Between two publishes.
const PAUSE: Duration = Duration::from_millis(100);

/// Processes being started at a time.
const OPENING: usize = 64;

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(30);

const EVERYBODY_BPS: u32 = 10_000;

#[derive(Debug, Serialize)]
pub(crate) struct Applied {
    pub(crate) readers: usize,
    pub(crate) value_bytes: usize,
    pub(crate) publishes: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
    /// Of all nodes together.
    pub(crate) bytes_per_reader: Option<u64>,
}

impl Figures for Applied {
    const WORKLOAD: &'static str = "applied";
}

/// A process that reads.
struct Process {
    _keeper: Keeper,
    _instance: Instance,
    _config: Config<Value>,
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for readers in bench.watchers(&READERS) {
        let cluster = bench.cluster().await?;
        let keeper = cluster.client().connect().await?;
        let configs = keeper.configs();
        let path = format!("bench/applied-{:08x}.json", rand::random::<u32>());
        attach(&configs, &path).await?;
        configs.publish(Edit::put(&path, document(0))).await?;
        let without = cluster.rss_bytes();
        bench.say(&format!("  opening {readers} processes"));
        let opened = (0..readers).map(|number| open(&cluster.endpoints()[number % cluster.size()], &path, number));
        let processes: Vec<_> = stream::iter(opened).buffered(OPENING).try_collect().await?;
        let publishes = bench.seconds(20, 5).as_secs() * 5;
        bench.say(&format!("  {publishes} publishes, each until all have applied it"));
        let (mut latencies, mut meter) = (Latencies::new(), Meter::start(&cluster)?);
        for number in 1..=WARM_UP + publishes {
            if number == WARM_UP + 1 {
                (latencies, meter) = (Latencies::new(), Meter::start(&cluster)?);
            }
            let begun = Instant::now();
            let revision = configs.publish(Edit::put(&path, document(number))).await?.revision;
            let status = StatusOf::path(&path).limit(1).wait(EVERYBODY_BPS, revision, PATIENCE);
            let status = configs.status(status).await?;
            let (applied, all) = (status.applied as usize, status.readers as usize);
            ensure!(applied == readers && all == readers, "{applied} of {all} of {readers} have applied {revision}");
            latencies.record(begun.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        let cost = meter.stop(&cluster)?;
        let bytes_per_reader = growth(without, cluster.rss_bytes()).map(|it| it / readers as u64);
        let figures = Applied {
            readers,
            value_bytes: crate::document::VALUE_BYTES,
            publishes,
            p50_us: latencies.p50_us(),
            p99_us: latencies.p99_us(),
            max_us: latencies.max_us(),
            bytes_per_reader,
        };
        bench.row(&Row::new(&cluster, &cost, 0, figures))?;
        drop((processes, keeper));
        cluster.stop().await;
    }
    Ok(())
}

async fn open(endpoint: &Endpoint, path: &str, number: usize) -> Result<Process> {
    let keeper = Keeper::builder().endpoint(endpoint.to_string()).name("reader").build()?;
    let described = keeper.instance("bench-reader", format!("reader-{number}")).version("1");
    let instance = described.open().await.context("opening a process")?;
    let schema = serde_json::from_str(SCHEMA).context("the documents' schema")?;
    let config = instance.config_of_any::<Value>(path).schema(schema).open().await.context("reading a document")?;
    Ok(Process { _keeper: keeper, _instance: instance, _config: config })
}
