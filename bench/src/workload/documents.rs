//! Many documents: how long all nodes take to come back with them, what computing an effective document takes, and
//! whether a document's past makes it dearer to publish.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use keeper_client_sdk::{Configs, Edit, Keeper, Publish, Reader, Secrets};
use serde::Serialize;

use crate::{
    bench::Bench,
    document::document_of,
    latency::Latencies,
    meter::Meter,
    report::{Figures, Row, rounded},
};

const DOCUMENTS: u64 = 10_000;
const DOCUMENTS_QUICK: u64 = 1_000;

/// Of each document.
const BYTES: usize = 4_096;

/// Documents of one publish: the most there may be.
const AT_ONCE: u64 = 64;

/// Effective documents asked for, one after the other: each of a path of its own.
const ASKED: u64 = 1_000;

/// Layers of those that are asked for, beside the base.
const LAYERS: [&str; 3] = ["zone=bench", "service=bench", "label.ring=bench"];

/// Publishes of one document, one after the other, with and without a past.
const PUBLISHES: u64 = 400;

/// How many versions a document has before it counts as one with a past: as many as are kept.
const PAST: u64 = 100;

/// How long the nodes may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one read may wait: a short one, so that the next is asked when nodes have come back meanwhile.
const READ_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
pub(crate) struct Documents {
    pub(crate) documents: u64,
    pub(crate) value_bytes: usize,
    pub(crate) restart_ms: f64,
    pub(crate) effective_p50_us: u64,
    pub(crate) effective_p99_us: u64,
    pub(crate) publish_p50_us_new: u64,
    pub(crate) publish_p50_us_with_past: u64,
}

impl Figures for Documents {
    const WORKLOAD: &'static str = "documents";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    let documents = bench.pick(DOCUMENTS, DOCUMENTS_QUICK);
    let mut cluster = bench.own_cluster("").await?;
    let keeper = cluster.client().operation_timeout(READ_PATIENCE).connect().await?;
    let configs = keeper.configs();
    bench.say(&format!("  publishing {documents} documents of {BYTES} bytes"));
    fill(&configs, documents).await?;
    let meter = Meter::start(&cluster)?;
    let effective = effective(&configs, documents).await?;
    let (new, with_past) = past(&configs).await?;
    bench.say("  killing all nodes");
    let killed = Instant::now();
    cluster.kill_all();
    cluster.launch_all()?;
    first_answer(&keeper, documents - 1).await?;
    let restart_ms = rounded(killed.elapsed().as_secs_f64() * 1e3);
    let cost = meter.stop(&cluster)?;
    let figures = Documents {
        documents,
        value_bytes: BYTES,
        restart_ms,
        effective_p50_us: effective.p50_us(),
        effective_p99_us: effective.p99_us(),
        publish_p50_us_new: new.p50_us(),
        publish_p50_us_with_past: with_past.p50_us(),
    };
    bench.row(&Row::new(&cluster, &cost, 0, figures))?;
    drop(keeper);
    cluster.stop().await;
    Ok(())
}

fn path(number: u64) -> String {
    format!("bench/many/{:02}/{number:06}.json", number % 100)
}

async fn fill(configs: &Configs, documents: u64) -> Result<()> {
    let base = |number| Edit::put(path(number), document_of(number, BYTES));
    let layer = |number: u64, layer: &str| {
        Edit::put(format!("{}@{layer}", path(number)), format!("{{\"by\":{{\"{layer}\":{number}}}}}"))
    };
    let all = (0..documents).map(base);
    let layered = (0..documents.min(ASKED)).flat_map(|number| LAYERS.map(|name| layer(number, name)));
    let mut edits = all.chain(layered).peekable();
    while let Some(first) = edits.next() {
        let publish = edits.by_ref().take(AT_ONCE as usize - 1).fold(Publish::of(first), Publish::and);
        configs.publish(publish).await.context("publishing many documents")?;
    }
    Ok(())
}

async fn effective(configs: &Configs, documents: u64) -> Result<Latencies> {
    let reader = Reader::service("bench").zone("bench").label("ring", "bench");
    let mut latencies = Latencies::new();
    for number in 0..documents.min(ASKED) {
        let begun = Instant::now();
        let effective = configs.effective(path(number), &reader, Secrets::Masked).await?;
        latencies.record(begun.elapsed());
        if effective.layers.len() != 1 + LAYERS.len() {
            bail!("{} layers of {} apply", effective.layers.len(), path(number));
        }
    }
    Ok(latencies)
}

/// Publishing a document that has no past yet, each time another one, and one that has a long one, in turn.
async fn past(configs: &Configs) -> Result<(Latencies, Latencies)> {
    let run: u32 = rand::random();
    let old = format!("bench/past/{run:08x}.json");
    for number in 0..PAST {
        configs.publish(Edit::put(&old, document_of(number, BYTES))).await?;
    }
    let (mut new, mut with_past) = (Latencies::new(), Latencies::new());
    for number in PAST..PAST + PUBLISHES {
        for (path, latencies) in
            [(format!("bench/past/{run:08x}-{number}.json"), &mut new), (old.clone(), &mut with_past)]
        {
            let edit = Edit::put(path, document_of(number, BYTES));
            let begun = Instant::now();
            configs.publish(edit).await?;
            latencies.record(begun.elapsed());
        }
    }
    Ok((new, with_past))
}

/// Asks until somebody answers.
async fn first_answer(keeper: &Keeper, number: u64) -> Result<()> {
    let begun = Instant::now();
    loop {
        match keeper.configs().get(path(number)).await {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => bail!("{} was published and is gone", path(number)),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error).context("no answer after the restart"),
            Err(_) => {}
        }
    }
}
