//! Messages of a walk: read as generated code reads them.

use keeper_proto::v1::ScanReply;

use super::*;

pub(in crate::session) fn scan_reply(input: &[u8]) {
    drop(Page::read(Bytes::copy_from_slice(input)));
    let Ok(reply) = ScanReply::decode(input) else { return };
    let read = Page::read(reply.encode_to_vec().into());
    let owners = from_proto::owners(reply.owners);
    let sessions = reply.sessions.into_iter().map(|it| from_proto::session(it, &owners)).collect::<Result<Vec<_>, _>>();
    match (read, sessions) {
        (Ok(page), Ok(sessions)) => {
            assert_eq!((page.at_revision, page.next, page.matched), (reply.at_revision, reply.next, reply.matched));
            assert_eq!(page.sessions, sessions);
        }
        (Err(_), Err(_)) => {}
        (read, expected) => panic!("read as {read:?} instead of {expected:?}"),
    }
}
