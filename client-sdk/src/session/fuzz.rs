//! Answers that are read by hand: what generated code reads, the hand-written reader reads as the same; what neither
//! reads is an error.

use std::sync::Arc;

use bytes::Bytes;
use keeper_proto::v1::{self, lookup_reply};
use prost::Message;

use super::answer::{Answer, Frame};
use super::ask::Shape;
use super::{from_proto, presence, scan};
use crate::fuzz::Property;
use crate::{Formerly, Owner};

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] = &[
    ("lookup_reply", lookup_reply),
    ("scan_reply", scan::fuzz::scan_reply),
    ("presence_reply", presence::fuzz::presence_reply),
];

fn lookup_reply(input: &[u8]) {
    let raw = Frame::read(Bytes::copy_from_slice(input));
    if let Ok(frame) = raw {
        let mut results = frame.results();
        let _ = results.take(Shape::Keys(2)).map(|it| it.keys(2));
        let _ = results.take(Shape::User).map(Answer::user);
    }
    let Ok(reply) = v1::LookupReply::decode(input) else { return };
    let frame = Frame::read(reply.encode_to_vec().into()).expect("what generated code wrote can be read");
    assert_eq!((frame.sequence, &frame.problem), (reply.sequence, &reply.problem));
    let owners = from_proto::owners(reply.owners.clone());
    let mut results = frame.results();
    for found in &reply.keys {
        let session =
            found.session.iter().map(|it| from_proto::session(it.clone(), &owners)).collect::<Result<Vec<_>, _>>();
        let expected = session.ok().zip(formerly(found.formerly.iter(), &owners));
        let answer = results.take(Shape::Keys(1)).and_then(|it| it.keys(1)).ok();
        let read = answer.map(|it| (it.found.into_iter().flatten().collect(), it.formerly));
        assert_eq!(read, expected);
    }
    for all in &reply.users {
        let sessions =
            all.sessions.iter().map(|it| from_proto::session(it.clone(), &owners)).collect::<Result<Vec<_>, _>>();
        let expected = sessions.ok().zip(formerly(all.formerly.iter(), &owners));
        let read = results.take(Shape::User).and_then(Answer::user).ok().map(|it| (it.found, it.formerly));
        assert_eq!(read, expected);
    }
    assert!(results.take(Shape::User).is_err(), "a result that nobody sent");
}

fn formerly<'a>(
    former: impl Iterator<Item = &'a lookup_reply::Formerly>,
    owners: &[Arc<Owner>],
) -> Option<Vec<Formerly>> {
    former.map(|it| from_proto::formerly(it.clone(), owners)).collect::<Result<_, _>>().ok()
}
