//! The readers of one client: a hub for each name under which documents are read.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    ConfigBuilder, Health, Reader,
    config::hub::Hub,
    connection::Nodes,
    instance::{Life, Renewals},
    tasks::Tasks,
};

#[derive(Debug)]
pub(crate) struct Readers {
    nodes: Arc<Nodes>,
    renewals: Arc<Renewals>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// By service and id. They are as many as the names this process takes: one, or a few in tests.
    hubs: BTreeMap<Name, Arc<Hub>>,
    /// The incarnations that are open, for hubs that come later.
    lives: BTreeMap<Name, Life>,
    health: Option<Health>,
}

type Name = (String, String);

impl Readers {
    pub(crate) fn new(nodes: Arc<Nodes>, renewals: Arc<Renewals>) -> Self {
        Self { nodes, renewals, book: Mutex::default() }
    }

    /// The one hub of a reader's name.
    pub(crate) fn hub(&self, tasks: &Tasks, reader: &Reader) -> Arc<Hub> {
        let mut book = self.book.lock();
        let name = name(reader);
        if let Some(hub) = book.hubs.get(&name) {
            return hub.clone();
        }
        let hub = Arc::new(Hub::new(self.nodes.clone(), self.renewals.clone(), reader.clone()));
        if let Some(life) = book.lives.get(&name) {
            hub.opened(life.clone());
        }
        if let Some(health) = &book.health {
            hub.report(health.clone());
        }
        let client = &self.nodes.settings.name;
        let span = tracing::info_span!("keeper", client, task = "configs", service = name.0, id = name.1);
        tasks.spawn(span, hub.clone().run());
        book.hubs.insert(name, hub.clone());
        hub
    }

    /// An incarnation was opened.
    pub(crate) fn opened(&self, service: &str, id: &str, life: Life) {
        let mut book = self.book.lock();
        book.lives.retain(|_, life| life.is_held());
        let name = (service.to_owned(), id.to_owned());
        if let Some(hub) = book.hubs.get(&name) {
            hub.opened(life.clone());
        }
        book.lives.insert(name, life);
    }

    /// How the process is.
    pub(crate) fn report(&self, health: Health) {
        let mut book = self.book.lock();
        book.hubs.values().for_each(|hub| hub.report(health.clone()));
        book.health = Some(health);
    }
}

fn name(reader: &Reader) -> Name {
    (reader.service.clone(), reader.id.clone())
}

/// What a handle needs to read documents as somebody.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) readers: Arc<Readers>,
    pub(crate) reader: Reader,
}

impl Reading {
    pub(crate) fn config<T>(&self, path: String) -> ConfigBuilder<T> {
        let hub = self.readers.hub(&self.tasks, &self.reader);
        ConfigBuilder::new(self.readers.nodes.clone(), self.tasks.clone(), hub, path)
    }
}
