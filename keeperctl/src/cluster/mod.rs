//! `keeperctl cluster`: the nodes themselves.
//!
//! Each node is asked for itself and answers without its peers, so the status of a cluster without a quorum is told
//! too.

mod backup;
mod diagnosis;
mod majority;
mod members;
mod problems;
mod put_back;
mod report;
mod survey;
mod upgrade;

use futures_util::future::join_all;
use keeper_client_sdk::{Cluster, Endpoint};

pub(crate) use backup::backup;
pub(crate) use diagnosis::diagnose;
pub(crate) use members::change;
pub(crate) use upgrade::upgrade;

use crate::{
    admin::Admin,
    cluster::{report::Status, survey::Survey},
    failure::{self, Failure},
};

pub(crate) async fn status(admin: &mut Admin<'_, '_>, endpoints: &[Endpoint]) -> Result<(), Failure> {
    let survey = survey(&admin.keeper.cluster(), endpoints).await;
    let status = Status::of(&survey);
    admin.console.print(&status)?;
    for tip in status.tips() {
        admin.console.say(tip);
    }
    status.verdict()
}

/// Asks the nodes that were named, then the members they know and that have not answered, until nobody is left.
async fn survey(cluster: &Cluster, endpoints: &[Endpoint]) -> Survey {
    let mut survey = Survey::of(endpoints);
    let mut round = endpoints.to_vec();
    while !round.is_empty() {
        let asks = round.into_iter().map(|endpoint| async {
            let answer = cluster.status_of(&endpoint).await;
            (endpoint, answer.map_err(|error| failure::sentence(&error)))
        });
        for (endpoint, answer) in join_all(asks).await {
            survey.hear(endpoint, answer);
        }
        round = survey.unasked();
    }
    survey
}
