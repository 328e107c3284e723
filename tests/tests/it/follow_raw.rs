//! Processes that follow their documents, without the library.

use std::collections::BTreeMap;

use keeper_proto::v1 as wire;
use keeper_proto::v1::configs_client::ConfigsClient;
use keeper_proto::v1::follows_client::FollowsClient;
use keeper_proto::v1::instances_client::InstancesClient;
use keeper_proto::v1::rollouts_client::RolloutsClient;
use keeper_tests::InProcess;
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

/// A node, by what it can be called.
#[derive(Debug, Clone)]
pub(crate) struct Raw(pub(crate) Channel);

/// An open instance.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) incarnation: u64,
    pub(crate) state_id: u64,
    pub(crate) revision: u64,
}

/// A stream of one process.
#[derive(Debug)]
pub(crate) struct Follower {
    stream: Streaming<wire::Followed>,
    pub(crate) cursor: u64,
}

impl Raw {
    pub(crate) async fn node(cluster: &InProcess, at: usize) -> Self {
        let endpoint = Endpoint::from_shared(cluster.endpoint(at)).unwrap();
        Self(endpoint.connect().await.unwrap())
    }

    pub(crate) async fn leader(cluster: &InProcess) -> Self {
        Self::node(cluster, cluster.leader().await).await
    }

    pub(crate) fn follows(&self) -> FollowsClient<Channel> {
        FollowsClient::new(self.0.clone()).max_decoding_message_size(usize::MAX)
    }

    pub(crate) fn rollouts(&self) -> RolloutsClient<Channel> {
        RolloutsClient::new(self.0.clone())
    }

    pub(crate) fn configs(&self) -> ConfigsClient<Channel> {
        ConfigsClient::new(self.0.clone())
    }

    /// `room/ID`, in a zone, with labels like `ring=canary`. Its lease outlives any test.
    pub(crate) async fn open(&self, id: &str, zone: &str, labels: &[(&str, &str)]) -> Process {
        self.open_for(600_000, id, zone, labels).await
    }

    /// The same with a lease of so many milliseconds, that nobody renews.
    pub(crate) async fn open_for(&self, ttl_ms: u32, id: &str, zone: &str, labels: &[(&str, &str)]) -> Process {
        let labels: BTreeMap<_, _> = labels.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let request = wire::OpenInstanceRequest {
            service: "room".to_owned(),
            id: id.to_owned(),
            zone: zone.to_owned(),
            labels,
            version: "1.4.2".to_owned(),
            ttl_ms,
            ..Default::default()
        };
        let reply = InstancesClient::new(self.0.clone()).open(request).await.unwrap().into_inner();
        let wire::OpenInstanceReply { incarnation, state_id, revision, .. } = reply;
        Process { incarnation, state_id, revision }
    }

    pub(crate) async fn close(&self, process: &Process) {
        let Process { incarnation, state_id, .. } = *process;
        let request = wire::CloseInstanceRequest { incarnation, state_id, ..Default::default() };
        InstancesClient::new(self.0.clone()).close(request).await.unwrap();
    }

    /// All in one publish; an empty text deletes.
    pub(crate) async fn publish(&self, documents: &[(&str, &str)]) -> u64 {
        self.try_publish(documents).await.unwrap().revision
    }

    pub(crate) async fn try_publish(&self, documents: &[(&str, &str)]) -> Result<wire::PublishReply, Status> {
        Ok(self.configs().publish(changes(documents)).await?.into_inner())
    }

    /// Reads these paths by these schemas; an empty one takes any value. Sends the schemas along.
    pub(crate) async fn announce(&self, process: &Process, read: &[(&str, &str)]) {
        let reply = self.follows().announce(announcement(process, read, Along::Schemas)).await.unwrap().into_inner();
        assert!(reply.missing.is_empty() && reply.revision > process.revision, "{reply:?}");
    }

    /// What it makes of one document.
    pub(crate) async fn acknowledge(&self, process: &Process, path: &str, revision: u64, applied: wire::Applied) {
        let (path, applied) = (path.to_owned(), applied.into());
        let reason = "as it says".to_owned();
        let documents = vec![wire::acknowledge_request::Acknowledgement { path, revision, applied, reason }];
        let Process { incarnation, state_id, .. } = *process;
        let request = wire::AcknowledgeRequest { incarnation, state_id, documents, ..Default::default() };
        self.follows().acknowledge(request).await.unwrap();
    }

    /// How it is.
    pub(crate) async fn report(&self, process: &Process, healthy: bool) {
        let Process { incarnation, state_id, .. } = *process;
        let health = Some(wire::acknowledge_request::Health { healthy, reason: "as it says".to_owned() });
        let request = wire::AcknowledgeRequest { incarnation, state_id, health, ..Default::default() };
        self.follows().acknowledge(request).await.unwrap();
    }

    pub(crate) async fn follow(&self, process: &Process, paths: &[&str]) -> Follower {
        self.follow_from(process, paths, 0).await
    }

    pub(crate) async fn follow_from(&self, process: &Process, paths: &[&str], cursor: u64) -> Follower {
        let request = wire::FollowRequest {
            paths: paths.iter().map(|path| path.to_string()).collect(),
            incarnation: process.incarnation,
            reader: None,
            cursor,
            state_id: process.state_id,
            at_least_revision: process.revision,
        };
        let stream = self.follows().follow(request).await.unwrap().into_inner();
        Follower { stream, cursor }
    }
}

impl Follower {
    /// The next frame; one that has nothing to tell but that there is nothing is passed over.
    pub(crate) async fn frame(&mut self) -> Result<wire::Followed, Status> {
        loop {
            let followed = self.stream.message().await?.expect("a stream ends with a reason");
            if !followed.more {
                self.cursor = followed.cursor;
            }
            if followed.reset || !followed.documents.is_empty() {
                return Ok(followed);
            }
        }
    }

    /// The next change: each document's path, revision and value, null when there is none.
    pub(crate) async fn changed(&mut self) -> Vec<(String, u64, Value)> {
        let frame = self.frame().await.unwrap();
        assert!(!frame.more && !frame.reset, "{frame:?}");
        documents(&frame)
    }

    /// The full set, which is what a stream begins with.
    pub(crate) async fn full(&mut self) -> Vec<(String, u64, Value)> {
        let frame = self.frame().await.unwrap();
        assert!(!frame.more && frame.reset, "{frame:?}");
        documents(&frame)
    }

    /// How it ends, once it does.
    pub(crate) async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.frame().await {
                return status;
            }
        }
    }
}

fn documents(frame: &wire::Followed) -> Vec<(String, u64, Value)> {
    let value = |document: &wire::EffectiveDocument| match document.deleted {
        true => Value::Null,
        false => serde_json::from_slice(&document.value).unwrap(),
    };
    frame.documents.iter().map(|it| (it.path.clone(), it.revision, value(it))).collect()
}

/// As a change is told.
pub(crate) fn told(path: &str, revision: u64, value: Value) -> (String, u64, Value) {
    (path.to_owned(), revision, value)
}

pub(crate) fn changes(documents: &[(&str, &str)]) -> wire::PublishRequest {
    use wire::publish_request::{Change, Delete, Put, change::Action};
    let change = |(path, text): &(&str, &str)| {
        let action = match text.is_empty() {
            true => Action::Delete(Delete {}),
            false => Action::Put(Put { text: text.to_string(), format: format(path).into(), ..Default::default() }),
        };
        Change { path: path.to_string(), action: Some(action), expected_revision: None }
    };
    wire::PublishRequest {
        changes: documents.iter().map(change).collect(),
        author: "ann".to_owned(),
        ..Default::default()
    }
}

fn format(key: &str) -> wire::Format {
    let path = key.split('@').next().unwrap_or_default();
    match path.rsplit('.').next() {
        Some("toml") => wire::Format::Toml,
        Some("ini") => wire::Format::Ini,
        _ => wire::Format::Json,
    }
}

/// Whether schemas are sent with an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Along {
    Schemas,
    Nothing,
}

pub(crate) fn announcement(process: &Process, read: &[(&str, &str)], along: Along) -> wire::AnnounceRequest {
    let hash = |schema: &str| match schema.is_empty() {
        true => Vec::new().into(),
        false => keeper_registry::SchemaHash::of(schema.as_bytes()).0.to_vec().into(),
    };
    let consumed = |(path, schema): &(&str, &str)| wire::announce_request::Consumed {
        path: path.to_string(),
        schema_hash: hash(schema),
    };
    let schemas = read.iter().filter(|(_, schema)| along == Along::Schemas && !schema.is_empty());
    wire::AnnounceRequest {
        incarnation: process.incarnation,
        state_id: process.state_id,
        documents: read.iter().map(consumed).collect(),
        schemas: schemas.map(|(_, schema)| schema.as_bytes().to_vec().into()).collect(),
    }
}

/// What a refusal says: its reason, its field and its words.
pub(crate) fn problem(status: &Status) -> (String, String, String) {
    let problem: wire::Problem = prost::Message::decode(status.details()).unwrap();
    (problem.reason, problem.field, problem.message)
}
