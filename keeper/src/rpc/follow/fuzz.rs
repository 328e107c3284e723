//! What processes say of their documents: read, or refused by the name of a field; and what they are told, written past
//! generated code, is what generated code reads.

use keeper_proto::v1 as wire;
use keeper_registry::{Announce, Command, Consumed, Incarnation, Revision, State, StateId};
use prost::Message;

use super::{acknowledge, announce, frame, request};
use crate::config::schema::Compiled;
use crate::limits::{ACK_REASON_BYTES_MAX, ACKS_MAX};
use crate::merged::Merged;
use crate::rpc::fuzz::{is_logged, is_told};
use crate::rpc::reader;
use crate::watch::{Followed, Given};

/// Those who follow the same documents say the same, in whichever order they named them.
pub(in crate::rpc) fn follow_request(input: &[u8]) {
    let Ok(request) = wire::FollowRequest::decode(input) else { return };
    if let Err(problem) = reader::instance(&State::default(), "reader", request.reader.unwrap_or_default()) {
        is_told(&problem);
    }
    let mut turned = request.paths.clone();
    turned.reverse();
    match (request::paths(request.paths.clone()), request::paths(turned)) {
        (Ok(one), Ok(other)) => {
            assert_eq!((&one, one.len()), (&other, request.paths.len()));
            assert!(one.is_sorted());
        }
        (Err(problem), Err(_)) => is_told(&problem),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("the same paths were read and refused"),
    }
}

/// What is announced is read from the log as it was, and so is every schema that can be used.
pub(in crate::rpc) fn announce_request(input: &[u8]) {
    let Ok(request) = wire::AnnounceRequest::decode(input) else { return };
    let compiled = Compiled::default();
    let usable = |schema: &bytes::Bytes| match compiled.announced(schema).as_ref() {
        Ok(_) => true,
        Err(reason) => {
            assert!(!reason.is_empty());
            false
        }
    };
    let schemas = request.schemas.into_iter().filter(usable).collect();
    match announce::consumed(request.documents) {
        Ok(documents) => {
            assert!(documents.iter().all(|Consumed { path, .. }| !path.contains('@')));
            let incarnation = Incarnation(request.incarnation);
            is_logged(Command::Announce(Announce { incarnation, documents, schemas }));
        }
        Err(problem) => is_told(&problem),
    }
}

/// Each document once, and no reason beyond its limit: the leader keeps them.
pub(in crate::rpc) fn acknowledge_request(input: &[u8]) {
    let Ok(request) = wire::AcknowledgeRequest::decode(input) else { return };
    let given = request.documents.clone();
    match acknowledge::acknowledged(request.documents) {
        Ok(read) => {
            assert!(read.len() <= ACKS_MAX && given.iter().all(|it| it.reason.len() <= ACK_REASON_BYTES_MAX));
            let said = given.iter().map(|it| (it.path.as_str(), Revision(it.revision)));
            assert!(read.iter().map(|(path, ack)| (path.as_str(), ack.revision)).eq(said));
        }
        Err(problem) => is_told(&problem),
    }
    if let Some(Err(problem)) = request.health.map(acknowledge::told_health) {
        is_told(&problem);
    }
}

/// What is told comes as it was meant, however it lies in pieces, also to the second who is told it.
pub(in crate::rpc) fn followed(input: &[u8]) {
    let Ok(meant) = wire::Followed::decode(input) else { return };
    let documents = meant.documents.iter().map(|document| Given {
        path: document.path.as_str().into(),
        revision: Revision(document.revision),
        rollout: (document.rollout > 0).then_some(document.rollout),
        document: (!document.deleted).then(|| Merged::new(document.value.clone()).into()),
    });
    let followed = Followed {
        cursor: Revision(meant.cursor),
        state: StateId(meant.state_id),
        reset: meant.reset,
        documents: documents.collect(),
        more: meant.more,
    };
    let mut expected = meant;
    expected.documents.iter_mut().filter(|document| document.deleted).for_each(|document| document.value.clear());
    for _ in 0..2 {
        let told = wire::Followed::decode(frame::encode(&followed).message()).expect("what was written can be read");
        assert_eq!(told, expected);
    }
}
