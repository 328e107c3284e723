//! Registering sessions: callers that each await one session at a time, through one client and a few gateways.
//!
//! Every line begins on an empty cluster, and every session is a new user: a 16-byte id, an 8-byte connection id, one
//! topic.

use anyhow::Result;
use serde::Serialize;

use crate::{
    bench::Bench,
    crew::{Pace, measure},
    fleet::Fleet,
    report::{Figures, Row, rounded},
};

const CALLERS: [usize; 3] = [1, 64, 1_024];

#[derive(Debug, Serialize)]
pub(crate) struct Register {
    pub(crate) callers: usize,
    pub(crate) ops_per_s: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

impl Figures for Register {
    const WORKLOAD: &'static str = "register";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for callers in bench.callers(&CALLERS) {
        let cluster = bench.cluster().await?;
        let fleet = Fleet::open(&cluster, "bench-register").await?;
        let writer = fleet.writer();
        let pace = Pace::new(callers, bench.seconds(10, 5));
        bench.say(&format!("  {callers} callers, {:?}", pace.measured));
        let measured = measure(&cluster, pace, move |user| {
            let writer = writer.clone();
            async move { Ok(writer.register(user).await.map(drop)?) }
        })
        .await?;
        super::tell_errors(bench, &measured);
        let latencies = &measured.latencies;
        let figures = Register {
            callers,
            ops_per_s: rounded(measured.per_second()),
            p50_us: latencies.p50_us(),
            p99_us: latencies.p99_us(),
            max_us: latencies.max_us(),
        };
        bench.row(&Row::new(&cluster, &measured.cost, measured.errors, figures))?;
        drop(fleet);
        cluster.stop().await;
    }
    Ok(())
}
