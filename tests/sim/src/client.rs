//! A client of the cluster: the library itself, on the world's network.

use std::sync::Arc;
use std::time::Duration;

use keeper_client_sdk::Keeper;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::history::History;
use crate::world::{HostId, Net};

/// How long a call may take; longer than the faults of a run, mostly.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one try may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// What every client is given.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it runs.
    pub host: HostId,
    /// Its name.
    pub name: String,
    /// How it reaches the nodes.
    pub net: Arc<Net>,
    /// The nodes.
    pub endpoints: Vec<String>,
    /// Where it writes down what it did.
    pub history: History,
    /// Its chance.
    pub seed: u64,
}

impl Client {
    /// The library, begun.
    ///
    /// # Errors
    /// As the library says.
    pub fn keeper(&self) -> Result<Keeper, keeper_client_sdk::Error> {
        let (net, host) = (Arc::clone(&self.net), self.host);
        let connect = move |uri: tonic::codegen::http::Uri| {
            let address = uri.authority().map(ToString::to_string).unwrap_or_default();
            Arc::clone(&net).connect(host, address)
        };
        Keeper::builder()
            .endpoints(self.endpoints.iter().cloned())
            .name(&self.name)
            .operation_timeout(OPERATION_TIMEOUT)
            .attempt_timeout(ATTEMPT_TIMEOUT)
            .seed(self.seed)
            .connector(connect)
            .build()
    }

    /// Its chance, from the beginning.
    #[must_use]
    pub fn rng(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}

/// Waits for a while of at most so many milliseconds.
pub async fn pause(rng: &mut StdRng, most_ms: u64) {
    let pause_ms = rng.random_range(0..=most_ms);
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
}
