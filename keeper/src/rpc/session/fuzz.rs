//! Questions, walks and kicks.

use keeper_proto::v1 as wire;
use keeper_registry::{Command, Kick, Walked};
use prost::Message;

use super::kick;
pub(in crate::rpc) use super::lookup::fuzz::lookup_request;
use super::walk::{Asked, Walk};
use crate::rpc::fuzz::{is_logged, is_told};

/// A walk is followed or refused; its token is whatever came.
pub(in crate::rpc) fn walk_request(input: &[u8]) {
    let Ok(request) = wire::ScanRequest::decode(input) else { return };
    let wire::ScanRequest { token, selector, part, since_revision, lingering, .. } = request;
    let walked = if lingering { Walked::Seen } else { Walked::Live };
    if let Err(problem) = Walk::parse(&token, Asked { selector, part, since_revision, walked }) {
        is_told(&problem);
    }
}

/// Nobody is kicked by a selector that says nothing.
pub(in crate::rpc) fn kick_request(input: &[u8]) {
    let Ok(request) = wire::KickRequest::decode(input) else { return };
    let is_silent = request.selector.as_ref().is_some_and(|selector| *selector == wire::SessionSelector::default());
    match kick::target(request.user, request.slot, request.selector) {
        Ok(target) => {
            assert!(!is_silent, "an empty selector was taken for everybody");
            is_logged(Command::Kick(Kick { target, reason: request.reason, author: request.author, request: None }));
        }
        Err(problem) => is_told(&problem),
    }
}
