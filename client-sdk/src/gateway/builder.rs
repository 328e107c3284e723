//! How a gateway is set up.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    Gateway, GatewayEvents, InstanceBuilder,
    gateway::{desk::Desk, gateway::Shared, lives::Lives, table::Name},
    limits,
};

/// A gateway about to be started; see [`InstanceBuilder::gateway`].
#[derive(Debug, Clone)]
#[must_use]
pub struct GatewayBuilder {
    instance: InstanceBuilder,
    reregister_rate: u32,
}

impl GatewayBuilder {
    pub(crate) const fn new(instance: InstanceBuilder) -> Self {
        Self { instance, reregister_rate: limits::REREGISTER_RATE }
    }

    /// How many connections a second are registered again after the lease or the cluster's state was lost.
    /// [`limits::REREGISTER_RATE`] by default. What the cluster asks for beyond that is obeyed in any case.
    pub const fn reregister_rate(mut self, per_second: u32) -> Self {
        self.reregister_rate = per_second;
        self
    }

    /// Starts the gateway and hands over what it has to say. It opens its first life in the background: connections may
    /// come before, and are registered when the lease is held.
    pub fn start(self) -> (Gateway, GatewayEvents) {
        let Self { instance, reregister_rate } = self;
        let (service, id) = instance.name();
        let desk = Arc::new(Desk::new(Name { service: service.to_owned(), id: id.to_owned() }));
        let stop = CancellationToken::new();
        let span =
            tracing::info_span!("keeper", client = %instance.nodes().settings.name, task = "gateway", service, id);
        let tasks = instance.tasks().clone();
        let lives = Lives { builder: instance, desk: desk.clone(), rate: reregister_rate, stop: stop.clone() };
        tasks.spawn(span, lives.run());
        let events = GatewayEvents::new(desk.clone());
        (Gateway::new(Arc::new(Shared { desk, stop, _tasks: tasks })), events)
    }
}
