//! A cluster that holds nothing and waits for nobody.
//!
//! A state that was just founded may be the rebuild of one that was lost, so it says `rebuilding` until its gateways
//! have come back. Whoever founds a cluster for the first time knows better, and says so.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use keeper_proto::v1::problem::{Class, Happened};
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_proto::v1::{GiveUpRequest, Problem};
use prost::Message as _;
use tonic::Status;

use super::Failure;
use super::init::{channel, failure};
use super::member::host_and_port;

/// How long to ask: a leader has to be elected first.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Declares the registry whole, through whichever node leads.
pub(super) async fn declare_whole(endpoint: &str) -> Result<(), Failure> {
    let trying = async {
        let mut endpoint = endpoint.to_owned();
        let mut may_have_happened = false;
        loop {
            let refused = match give_up(&endpoint).await? {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            let problem = Problem::decode(refused.details()).unwrap_or_default();
            if problem.class() == Class::Refused {
                // Nothing is being filled again: an earlier try whose answer was lost has ended that.
                let is_whole = may_have_happened && problem.reason == "not-found";
                return if is_whole { Ok(()) } else { Err(failure(refused)) };
            }
            may_have_happened |= problem.happened() != Happened::No;
            if let Ok(leader) = host_and_port(&problem.leader) {
                endpoint = leader;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let waited = tokio::time::timeout(TIMEOUT, trying).await;
    waited.map_err(|_| anyhow!("no leader answered within {} s: are a majority of the nodes up?", TIMEOUT.as_secs()))?
}

async fn give_up(endpoint: &str) -> Result<Result<(), Status>, Failure> {
    let channel = channel(endpoint).await.with_context(|| format!("the leader is said to be {endpoint}"))?;
    let request = GiveUpRequest { instances: Vec::new(), author: "keeper init".to_owned() };
    Ok(SessionsClient::new(channel).give_up(request).await.map(|_| ()))
}
