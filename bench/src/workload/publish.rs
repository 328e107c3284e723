//! Publishing documents: callers that each publish a document of their own, again and again, each text new.
//!
//! The daemon parses every text before it takes it, and judges it by a schema that is attached to all of them.

use anyhow::{Context, Result};
use keeper_client_sdk::{Configs, Edit, Publish as Request};
use serde::Serialize;

use crate::{
    bench::Bench,
    crew::{Pace, measure},
    document::{SCHEMA, document},
    report::{Figures, Row, rounded},
};

const CALLERS: [usize; 1] = [16];

#[derive(Debug, Serialize)]
pub(crate) struct Publish {
    pub(crate) callers: usize,
    pub(crate) ops_per_s: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
}

impl Figures for Publish {
    const WORKLOAD: &'static str = "publish";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for callers in bench.callers(&CALLERS) {
        let cluster = bench.cluster().await?;
        let keeper = cluster.client().connect().await?;
        let configs = keeper.configs();
        let pace = Pace::new(callers, bench.seconds(10, 10));
        bench.say(&format!("  {callers} callers, {:?}", pace.measured));
        let run: u32 = rand::random();
        attach(&configs, &format!("bench/publish-{run:08x}-*")).await?;
        let measured = measure(&cluster, pace, move |number| {
            let configs = configs.clone();
            async move {
                let path = format!("bench/publish-{run:08x}-{}.json", number % callers as u64);
                let edit = Edit::put(path, document(number));
                Ok(configs.publish(Request::of(edit).author("keeper-bench")).await.map(drop)?)
            }
        })
        .await?;
        super::tell_errors(bench, &measured);
        let figures = Publish {
            callers,
            ops_per_s: rounded(measured.per_second()),
            p50_us: measured.latencies.p50_us(),
            p99_us: measured.latencies.p99_us(),
        };
        bench.row(&Row::new(&cluster, &measured.cost, measured.errors, figures))?;
        drop(keeper);
        cluster.stop().await;
    }
    Ok(())
}

/// Attaches the documents' schema to paths.
pub(crate) async fn attach(configs: &Configs, paths: &str) -> Result<()> {
    let key = format!("keeper/schemas/bench-{:08x}.json", rand::random::<u32>());
    let text = format!("{{\"paths\":[\"{paths}\"],\"schema\":{SCHEMA}}}");
    configs.publish(Edit::put(key, text)).await.map(drop).context("attaching a schema")
}
