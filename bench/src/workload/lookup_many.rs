//! Looking up many users with one call: what a sender does with a list of recipients.

use anyhow::{Result, bail};
use serde::Serialize;

use crate::{
    bench::Bench,
    crew::{Pace, measure},
    fleet::Fleet,
    report::{Figures, Row, rounded},
    users::mix,
    workload::lookup::{CONSISTENCIES, load},
};

/// Keys of one call.
const BATCH: u64 = 256;

/// Enough calls under way to keep the nodes busy.
const CALLERS: [usize; 1] = [16];
const SESSIONS: [u64; 1] = [200_000];

#[derive(Debug, Serialize)]
pub(crate) struct LookupMany {
    pub(crate) batch: u64,
    pub(crate) consistency: &'static str,
    /// Sessions, not calls.
    pub(crate) ops_per_s: f64,
}

impl Figures for LookupMany {
    const WORKLOAD: &'static str = "lookup-many";
}

pub(crate) async fn run(bench: &mut Bench) -> Result<()> {
    for sessions in bench.sessions(&SESSIONS, &SESSIONS) {
        let cluster = bench.cluster().await?;
        let fleet = Fleet::open(&cluster, "bench-lookup-many").await?;
        load(bench, &fleet, sessions).await?;
        for (consistency, freshness) in CONSISTENCIES {
            for callers in bench.callers(&CALLERS) {
                let pace = Pace::new(callers, bench.seconds(10, 5));
                bench.say(&format!("  {consistency}, {BATCH} keys a call, {callers} callers, {:?}", pace.measured));
                let (users, client) = (fleet.users(), fleet.keeper().lookup().consistency(freshness));
                let measured = measure(&cluster, pace, move |number| {
                    let client = client.clone();
                    let first = mix(number) % sessions;
                    let keys =
                        (first..first + BATCH).map(|user| users.key(user % sessions)).collect::<Result<Vec<_>, _>>();
                    async move {
                        let missing = client.many(&keys?).await?.found.iter().filter(|it| it.is_none()).count();
                        if missing > 0 { bail!("{missing} of {BATCH} users were not found") } else { Ok(()) }
                    }
                })
                .await?;
                super::tell_errors(bench, &measured);
                let ops_per_s = rounded(measured.per_second() * BATCH as f64);
                let figures = LookupMany { batch: BATCH, consistency, ops_per_s };
                bench.row(&Row::new(&cluster, &measured.cost, measured.errors, figures))?;
            }
        }
        drop(fleet);
        cluster.stop().await;
    }
    Ok(())
}
