//! What an incarnation says it reads.
//!
//! Schemas are named by their hashes, and sent only when the state does not hold them: of a fleet, the first process of
//! a version sends them. They are read here, before they enter the log: the judge of publishes relies on each being one
//! that it can use.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{Announce, Command, Consumed, Incarnation, Level, Rejection, SchemaHash, limits};

use super::{FollowService, request};
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal};
use crate::rpc::from_proto::invalid;

/// What an announcement takes in the log beyond its names and schemas.
const OVERHEAD_BYTES: usize = 64;

/// Bytes of a hash, and of what stands around it and a path.
const CONSUMED_BYTES: usize = 24;

impl FollowService {
    pub(super) async fn say(&self, request: wire::AnnounceRequest) -> Result<wire::AnnounceReply, Problem> {
        self.proposer.check(Level::CONFIGS)?;
        self.view.check_history(request.state_id).await?;
        let incarnation = Incarnation(request.incarnation);
        let documents = consumed(request.documents)?;
        let named: BTreeSet<_> = documents.iter().filter_map(|consumed| consumed.schema).collect();
        let given = self.schemas(request.schemas, &named).await?;
        let missing = |is_held: &dyn Fn(SchemaHash) -> bool| wire::AnnounceReply {
            revision: 0,
            missing: named.iter().filter(|hash| !is_held(**hash)).map(|hash| hash.0.to_vec().into()).collect(),
        };
        let reply = self.view.read(|state| {
            if state.instance(incarnation).is_none() {
                return Err(Problem::from(Rejection::IncarnationClosed(incarnation)));
            }
            Ok(missing(&|hash| given.contains_key(&hash) || state.schema(hash).is_some()))
        })?;
        if !reply.missing.is_empty() {
            return Ok(reply);
        }
        let schemas: Vec<_> = given.values().cloned().collect();
        let bytes = schemas.iter().map(Bytes::len).sum::<usize>()
            + documents.iter().map(|it| it.path.len() + CONSUMED_BYTES).sum::<usize>();
        let announce = Command::Announce(Announce { incarnation, documents, schemas });
        let proposal = Proposal::new(announce, bytes + OVERHEAD_BYTES);
        match self.proposer.propose(Lane::Config, proposal).await {
            Ok(Committed { revision, .. }) => Ok(wire::AnnounceReply { revision: revision.0, missing: Vec::new() }),
            // The last process that read by it closed meanwhile, and took it along.
            Err(Problem::Rejected(Rejection::NotFound { what: "schema" })) => {
                Ok(missing(&|hash| given.contains_key(&hash)))
            }
            Err(problem) => Err(problem),
        }
    }

    /// Those that are named, by their hashes, once they have been read.
    async fn schemas(
        &self,
        given: Vec<Bytes>,
        named: &BTreeSet<SchemaHash>,
    ) -> Result<BTreeMap<SchemaHash, Bytes>, Problem> {
        if given.len() > limits::CONSUMED_MAX {
            let message = format!("{} schemas; the limit is {}", given.len(), limits::CONSUMED_MAX);
            return Err(invalid("schemas", message));
        }
        let mut schemas = BTreeMap::new();
        for (place, schema) in given.into_iter().enumerate() {
            let hash = SchemaHash::of(&schema);
            if !named.contains(&hash) {
                let message = format!("no document names the schema with the hash {hash}");
                return Err(invalid(format!("schemas[{place}]"), message));
            }
            if let Err(reason) = self.compiled.announced(&schema).as_ref() {
                return Err(invalid(format!("schemas[{place}]"), reason.clone()));
            }
            schemas.insert(hash, schema);
            // Reading one takes a millisecond; others want the thread, too.
            tokio::task::yield_now().await;
        }
        Ok(schemas)
    }
}

pub(super) fn consumed(documents: Vec<wire::announce_request::Consumed>) -> Result<Vec<Consumed>, Problem> {
    if documents.len() > limits::CONSUMED_MAX {
        let message = format!("{} documents; an instance reads at most {}", documents.len(), limits::CONSUMED_MAX);
        return Err(invalid("documents", message));
    }
    let read = |(place, document): (usize, wire::announce_request::Consumed)| {
        let wire::announce_request::Consumed { path, schema_hash } = document;
        request::check(|| format!("documents[{place}].path"), &path)?;
        let schema = match <[u8; 16]>::try_from(&schema_hash[..]) {
            Ok(hash) => Some(SchemaHash(hash)),
            Err(_) if schema_hash.is_empty() => None,
            Err(_) => {
                let field = format!("documents[{place}].schema_hash");
                let message = format!("`{field}` has {} bytes; it has 16 or none", schema_hash.len());
                return Err(invalid(field, message));
            }
        };
        Ok(Consumed { path: path.into(), schema })
    };
    documents.into_iter().enumerate().map(read).collect()
}
