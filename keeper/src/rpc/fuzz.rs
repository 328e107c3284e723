//! What clients send: read or refused by name, the same by both readers, and what is accepted can be logged.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{Command, LogTime};
use prost::Message;

use super::{config, follow, from_proto, presence, rollout, session, token};
use crate::codec::batch;
use crate::codec::fuzz::{Property, round_trip};
use crate::problem::Problem;

/// Of this folder.
pub(crate) const PROPERTIES: &[Property] = &[
    ("write_frame", write_frame),
    ("lookup_request", session::fuzz::lookup_request),
    ("walk_request", session::fuzz::walk_request),
    ("kick_request", session::fuzz::kick_request),
    ("presence_request", presence::fuzz::request),
    ("open_instance", open_instance),
    ("publish", publish),
    ("start_rollout_request", rollout::fuzz::start_rollout_request),
    ("follow_request", follow::fuzz::follow_request),
    ("announce_request", follow::fuzz::announce_request),
    ("acknowledge_request", follow::fuzz::acknowledge_request),
    ("followed", follow::fuzz::followed),
    ("scan_token", |input| round_trip(input, |bytes| token::ScanToken::read(&bytes), token::ScanToken::write)),
    ("notices_token", notices_token),
    ("presence_token", presence::fuzz::token),
];

/// What is accepted from a client is read from the log as it was.
pub(super) fn is_logged(command: Command) {
    let commands = [command];
    let read = batch::decode(&batch::encode(LogTime(7), &commands)).expect("what is proposed can be read");
    assert_eq!(&read.commands[..], &commands[..]);
}

/// A refusal names a field and says something.
pub(super) fn is_told(problem: &Problem) {
    if let Problem::Invalid { field, message } = problem {
        assert!(!field.is_empty() && !message.is_empty());
    }
}

fn write_frame(input: &[u8]) {
    let Ok(frame) = wire::WriteFrame::decode(input) else { return };
    let given = frame.operations.len();
    match from_proto::frame(frame) {
        Ok(parsed) => {
            assert_eq!(parsed.frame.operations.len() + parsed.misfits.len(), given, "an operation was lost");
            parsed.misfits.iter().for_each(|misfit| is_told(&misfit.problem));
            is_logged(Command::Frame(parsed.frame));
        }
        Err(problem) => is_told(&problem),
    }
}

fn open_instance(input: &[u8]) {
    let Ok(request) = wire::OpenInstanceRequest::decode(input) else { return };
    match from_proto::open_instance(request) {
        Ok(open) => is_logged(Command::OpenInstance(open)),
        Err(problem) => is_told(&problem),
    }
}

fn publish(input: &[u8]) {
    let Ok(request) = wire::PublishRequest::decode(input) else { return };
    match config::draft(request) {
        Ok(draft) => is_logged(Command::Publish(draft.publish())),
        Err(problem) => is_told(&problem),
    }
}

fn notices_token(input: &[u8]) {
    let read = |bytes: Bytes| token::read_notices("cursor", &bytes);
    round_trip(input, read, |cursor| cursor.map_or_else(Bytes::new, token::write_notices));
}
