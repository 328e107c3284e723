//! Which processes live.

use std::sync::Arc;

use keeper_proto::v1::{self, instances_client::InstancesClient};

use crate::{
    Error, InstanceInfo, InstancesWatch,
    connection::{Aim, Nodes, Retry},
    instance::from_proto,
    limits,
};

/// Which processes live; see [`Keeper::instances`](crate::Keeper::instances).
#[derive(Debug, Clone)]
pub struct Instances {
    nodes: Arc<Nodes>,
}

impl Instances {
    pub(crate) const fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// The live instances of a service; of all services when it is empty.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn list(&self, service: impl Into<String>) -> Result<Vec<InstanceInfo>, Error> {
        self.ask(service.into(), String::new()).await
    }

    /// One live instance.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn get(&self, service: impl Into<String>, id: impl Into<String>) -> Result<Option<InstanceInfo>, Error> {
        Ok(self.ask(service.into(), id.into()).await?.pop())
    }

    /// The live instances of a service, then each change; of all services when it is empty.
    #[must_use]
    pub fn watch(&self, service: impl Into<String>) -> InstancesWatch {
        InstancesWatch::new(self.nodes.clone(), service.into())
    }

    async fn ask(&self, service: String, id: String) -> Result<Vec<InstanceInfo>, Error> {
        let request = v1::ListInstancesRequest { service, id };
        let method = |channel, request| async move {
            let client = InstancesClient::new(channel);
            client.max_decoding_message_size(limits::ANSWER_BYTES_MAX).list(request).await
        };
        let reply = self.nodes.call("instance list", Aim::Any, Retry::Safe, request, method).await?;
        Ok(reply.instances.into_iter().map(from_proto::info).collect())
    }
}
