//! `keeper init`: founds a cluster, once.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use keeper_proto::v1::cluster_client::ClusterClient;
use keeper_proto::v1::problem::Class;
use keeper_proto::v1::{InitializeRequest, Problem, StatusRequest};
use prost::Message as _;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::member::{Member, host_and_port, url};
use super::{Failure, fresh, stranger};

/// How long a node may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long founding may take. A new cluster needs a moment; the members of a restored one receive its state first,
/// which is a gigabyte for ten million sessions.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The client endpoint of one of the nodes, running and among the members
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7400", value_parser = host_and_port)]
    endpoint: String,
    /// The cluster that is meant; without it, the one the node belongs to
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// A node of the cluster: its number, its peer and its client endpoint. Once for each node
    #[arg(long = "member", value_name = "ID=PEER,CLIENT", required = true)]
    members: Vec<Member>,
    /// Nothing was lost: no gateway has sessions to register again, and lookups need not say that some may be missing
    #[arg(long)]
    fresh: bool,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.members.iter().find(|member| !seen.insert(member.node_id)) {
            return Err(anyhow!("node {} is named twice by --member", twice.node_id).into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut node = connect(&self.endpoint).await?;
            let status = match node.status(StatusRequest {}).await {
                Ok(status) => status.into_inner(),
                Err(status) => return Err(stranger::explain(&self.endpoint, status, &self.members).await),
            };
            let cluster = self.cluster.unwrap_or(status.cluster);
            let count = self.members.len();
            found(&mut node, &cluster, self.members).await?;
            let members = if count == 1 { "member" } else { "members" };
            writeln!(io::stdout(), "cluster {cluster} is founded, with {count} {members}")?;
            if self.fresh {
                fresh::declare_whole(&self.endpoint).await?;
                writeln!(io::stdout(), "no gateway is waited for")?;
            }
            Ok(())
        })
    }
}

/// Connects to a node, to ask about the cluster.
pub(super) async fn connect(host_and_port: &str) -> Result<ClusterClient<Channel>, Failure> {
    Ok(ClusterClient::new(channel(host_and_port).await?))
}

/// Connects to a node's client listener.
pub(super) async fn channel(host_and_port: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(url(host_and_port))
        .with_context(|| format!("`{host_and_port}` is not an endpoint"))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT);
    endpoint.connect().await.with_context(|| format!("no node answers at {host_and_port}: is it running?"))
}

/// Founds the cluster through a node.
pub(super) async fn found(
    node: &mut ClusterClient<Channel>,
    cluster: &str,
    members: Vec<Member>,
) -> Result<(), Failure> {
    let members = members.into_iter().map(Into::into).collect();
    let request = InitializeRequest { cluster: cluster.to_owned(), members };
    node.initialize(request).await.map_err(failure)?;
    Ok(())
}

/// A node's answer, as this program's.
pub(super) fn failure(status: Status) -> Failure {
    match Problem::decode(status.details()) {
        Ok(problem) if problem.class() == Class::Refused => Failure::Refused(problem.message),
        Ok(problem) if !problem.message.is_empty() => anyhow!(problem.message).into(),
        _ => anyhow!("the node answered: {}", status.message()).into(),
    }
}
