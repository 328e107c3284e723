//! Frames of gateways.
//!
//! A frame is taken whole or not at all; within a taken one a bad operation is refused alone. Operations that are no
//! operations (a field is missing, or of a newer client) never reach the state: their refusals are put in at their
//! places when the frame is answered, and again when it is sent again, because they follow from the frame alone.

use futures_util::TryStreamExt;
use keeper_proto::v1 as wire;
use keeper_registry::{Command, OperationResult, Reply};
use prost::Message;
use tonic::Streaming;

use super::{OVERHEAD_BYTES, SessionService, another_kind};
use crate::govern::{Guest, Held};
use crate::limits;
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Pending, Proposal};
use crate::rpc::error::Claim;
use crate::rpc::from_proto::{self, Misfit, Parsed};
use crate::rpc::{ReplyStream, error, to_proto};

/// A frame on its way.
struct Submitted {
    sequence: u64,
    pending: Result<Pending, Problem>,
    misfits: Vec<Misfit>,
    flushed: Vec<usize>,
    /// As long as it is here, so is its answer.
    _held: Option<Held>,
}

/// What a result takes while it waits for its client: most say why in words.
const RESULT_BYTES: usize = 256;

impl SessionService {
    pub(super) fn take_frames(
        &self,
        frames: Streaming<wire::WriteFrame>,
        guest: Option<Guest>,
    ) -> ReplyStream<wire::WriteFrameReply> {
        let service = self.clone();
        let replies = frames.map_ok(move |frame| {
            // Submitted here, in the order of the stream; only the answers are waited for side by side.
            let submitted = service.submit(frame, guest.as_ref());
            async move { Ok(submitted.reply().await) }
        });
        Box::pin(replies.try_buffered(limits::FRAMES_IN_FLIGHT_MAX))
    }

    fn submit(&self, frame: wire::WriteFrame, guest: Option<&Guest>) -> Submitted {
        let sequence = frame.sequence;
        let bytes = frame.encoded_len() + OVERHEAD_BYTES;
        let _held = guest.map(|guest| guest.share.hold(frame.operations.len() * RESULT_BYTES));
        let deadline = from_proto::deadline(frame.timeout_ms);
        match from_proto::frame(frame) {
            Ok(Parsed { frame, misfits, flushed }) => {
                let proposal = Proposal { command: Command::Frame(frame), bytes, deadline, term: None };
                let pending = self.proposer.submit(Lane::Session, proposal);
                Submitted { sequence, pending, misfits, flushed, _held }
            }
            Err(problem) => {
                Submitted { sequence, pending: Err(problem), misfits: Vec::new(), flushed: Vec::new(), _held }
            }
        }
    }
}

impl Submitted {
    async fn reply(self) -> wire::WriteFrameReply {
        let Self { sequence, pending, misfits, flushed, _held } = self;
        let outcome = match pending {
            Ok(pending) => pending.outcome().await,
            Err(problem) => Err(problem),
        };
        let mut reply = wire::WriteFrameReply { sequence, ..Default::default() };
        match outcome {
            Ok(Committed { reply: Reply::Frame { revision, results }, .. }) => {
                reply.revision = revision.0;
                reply.results = merge(&results, misfits, &flushed);
            }
            Ok(_) => reply.problem = Some(error::to_wire(&another_kind())),
            Err(problem) => reply.problem = Some(error::to_wire(&problem)),
        }
        reply
    }
}

/// The results of a frame, one an operation: what the state said of those it saw, and the others at their places.
fn merge(results: &[OperationResult], misfits: Vec<Misfit>, flushed: &[usize]) -> Vec<wire::OperationResult> {
    let mut merged = Vec::with_capacity(results.len() + misfits.len());
    let mut misfits = misfits.into_iter().peekable();
    let mut results = results.iter();
    loop {
        let place = merged.len();
        if let Some(misfit) = misfits.next_if(|misfit| misfit.place == place) {
            merged.push(to_proto::misfit(&misfit));
        } else if let Some(result) = results.next() {
            let claim = if flushed.binary_search(&place).is_ok() { Claim::Former } else { Claim::Present };
            merged.push(to_proto::operation_result(place, claim, result));
        } else {
            return merged;
        }
    }
}

#[cfg(test)]
mod tests {
    use keeper_registry::Rejection;

    use super::*;
    use crate::rpc::from_proto::invalid;

    #[test]
    fn misfits_are_answered_at_their_places() {
        let misfit = |place| Misfit { place, problem: invalid(format!("operations[{place}].key"), "`key` is missing") };
        let merged = merge(&[OperationResult::Done, OperationResult::Done], vec![misfit(0), misfit(2), misfit(4)], &[]);
        let refused = merged.iter().map(|result| match &result.result {
            Some(wire::operation_result::Result::Refused(refused)) => refused.field.as_str(),
            _ => "",
        });
        assert_eq!(
            refused.collect::<Vec<_>>(),
            ["operations[0].key", "", "operations[2].key", "", "operations[4].key"]
        );
    }
    #[test]
    fn a_refusal_names_its_field_by_the_path_in_the_frame() {
        let of = |rejection| OperationResult::Refused(Box::new(rejection));
        let refused = [
            of(Rejection::BadName { field: "user" }),
            of(Rejection::TooLarge { field: "slot", actual: 33, limit: 32 }),
            of(Rejection::TooLarge { field: "topic", actual: 65, limit: 64 }),
            of(Rejection::StaleEpoch(None)),
            of(Rejection::StaleEpoch(None)),
            of(Rejection::NotBound { topic: "news".into() }),
            of(Rejection::Full { what: "sessions", limit: 1 }),
        ];
        let merged = merge(&refused, Vec::new(), &[4]);
        let fields = merged.iter().map(|result| match &result.result {
            Some(wire::operation_result::Result::Refused(refused)) => refused.field.as_str(),
            other => panic!("{other:?}"),
        });
        let expected = [
            "operations[0].key.user",
            "operations[1].key.slot",
            "operations[2].topics",
            "operations[3].epoch",
            "operations[4].flushed",
            "operations[5].topics",
            "",
        ];
        assert_eq!(fields.collect::<Vec<_>>(), expected);
    }
}
