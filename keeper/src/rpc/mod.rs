//! gRPC for clients: parse, one call, answer.
//!
//! Nothing here knows Raft or the disk. Handlers of streams return a stream that does the work as it is polled, so that
//! no task is spawned and a client that goes away takes its work along.

mod cluster;
mod config;
mod control;
mod detour;
mod encoded;
mod error;
mod follow;
mod from_proto;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod instance;
mod members;
mod presence;
mod reader;
mod rollout;
mod rules;
mod session;
mod status;
mod to_proto;
mod token;

use std::pin::Pin;
use std::sync::Arc;

use futures_util::Stream;
use keeper_proto::v1 as wire;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

pub use tonic_health::ServingStatus;

pub use cluster::{ClusterService, Identity, InitialMember, Node};
pub use rules::rules;

use crate::acks::Acks;
use crate::config::schema::Compiled;
use crate::lease::Leases;
use crate::limits;
use crate::metrics::Metrics;
use crate::propose::Proposer;
use crate::publish::Publisher;
use crate::rollout::{Driver, Promotions};
use crate::rpc::detour::Detour;
use crate::settings;
use crate::view::View;
use crate::watch::Watches;

/// The replies of a streaming call.
type ReplyStream<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What the handlers call.
#[derive(Debug)]
pub struct Parts {
    /// Reads.
    pub view: View,
    /// Writes.
    pub proposer: Proposer,
    /// Renewals.
    pub leases: Leases,
    /// Watches.
    pub watches: Watches,
    /// What is published, and what becomes of it.
    pub documents: Documents,
    /// The node itself.
    pub cluster: ClusterService,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What the node admits.
    pub admits: settings::Limits,
    /// Who may see secrets.
    pub reveals: Reveals,
}

/// Who may see the secrets of documents. Processes that run with them always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reveals {
    /// Whoever asks for them by name.
    Always,
    /// Nobody.
    Never,
}

impl Reveals {
    /// Until there are roles, the node's settings decide.
    #[must_use]
    pub const fn by(settings: &settings::Secrets) -> Self {
        if settings.reveal { Self::Always } else { Self::Never }
    }
}

/// What is published, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Documents {
    /// Schemas that were read before.
    pub compiled: Arc<Compiled>,
    /// Publishes.
    pub publisher: Publisher,
    /// What instances make of them.
    pub acks: Acks,
    /// Rollouts.
    pub driver: Driver,
    /// Their ends.
    pub promotions: Promotions,
}

/// What the gRPC health service answers: the same as `/readyz`, for the node and for each of its services.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
}

impl Health {
    /// Says whether this node should be sent work.
    pub async fn set(&self, status: ServingStatus) {
        let services = [
            "",
            wire::sessions_server::SERVICE_NAME,
            wire::instances_server::SERVICE_NAME,
            wire::configs_server::SERVICE_NAME,
            wire::follows_server::SERVICE_NAME,
            wire::rollouts_server::SERVICE_NAME,
            wire::controls_server::SERVICE_NAME,
        ];
        for service in services {
            self.reporter.set_service_status(service, status).await;
        }
        // It answers whatever state the node is in.
        self.reporter.set_service_status(wire::cluster_server::SERVICE_NAME, ServingStatus::Serving).await;
    }
}

/// Every service a client can call, reflection and health among them.
///
/// # Errors
/// The descriptors compiled into this binary are not sound.
pub fn routes(parts: Parts) -> Result<(Routes, Health), tonic_reflection::server::Error> {
    let Parts { view, proposer, leases, watches, documents, cluster, metrics, admits, reveals } = parts;
    let Documents { compiled, publisher, acks, driver, promotions } = documents;
    let presence = presence::PresenceService::new(watches.clone(), Arc::clone(&metrics));
    let rollouts = rollout::RolloutService {
        view: view.clone(),
        proposer: proposer.clone(),
        publisher: publisher.clone(),
        driver,
        promotions,
    };
    let status = status::StatusService { view: view.clone(), proposer: proposer.clone(), acks: acks.clone() };
    let follows = follow::FollowService {
        view: view.clone(),
        proposer: proposer.clone(),
        watches: watches.clone(),
        compiled,
        acks,
        metrics: Arc::clone(&metrics),
    };
    let sessions = session::SessionService::new(view.clone(), proposer.clone(), watches.clone(), metrics, &admits);
    let instances =
        instance::InstanceService { view: view.clone(), proposer: proposer.clone(), leases, watches: watches.clone() };
    let configs = config::ConfigService { view: view.clone(), publisher, watches: watches.clone(), status, reveals };
    let controls = control::ControlService { view, proposer, watches };
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(keeper_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    // What most tools still speak.
    let reflection_alpha = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(keeper_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1alpha()?;
    let (reporter, health) = tonic_health::server::health_reporter();
    let size = limits::MESSAGE_BYTES_MAX;
    let lookups = session::Lookups(sessions.clone());
    let sessions = wire::sessions_server::SessionsServer::new(sessions)
        .max_decoding_message_size(size)
        .max_encoding_message_size(size);
    let follow = follows.clone();
    let follows = wire::follows_server::FollowsServer::new(follows).max_decoding_message_size(size);
    let sessions = Detour { service: sessions, bypass: lookups };
    let routes = Routes::default()
        .add_service(Detour { service: sessions, bypass: presence })
        .add_service(
            wire::instances_server::InstancesServer::new(instances)
                .max_decoding_message_size(size)
                .max_encoding_message_size(usize::MAX),
        )
        .add_service(
            wire::configs_server::ConfigsServer::new(configs)
                .max_decoding_message_size(size)
                .max_encoding_message_size(usize::MAX),
        )
        .add_service(Detour { service: follows, bypass: follow })
        .add_service(wire::rollouts_server::RolloutsServer::new(rollouts).max_decoding_message_size(size))
        .add_service(wire::controls_server::ControlsServer::new(controls).max_decoding_message_size(size))
        .add_service(wire::cluster_server::ClusterServer::new(cluster).max_decoding_message_size(size))
        .add_service(reflection)
        .add_service(reflection_alpha)
        .add_service(health);
    Ok((routes, Health { reporter }))
}
