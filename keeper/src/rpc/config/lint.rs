//! What a text says, and what would speak against publishing it.

use bytes::Bytes;
use keeper_proto::v1 as wire;

use super::ConfigService;
use super::draft::{named_format, policy, value};
use super::told::objections_told;
use crate::format::canonical;
use crate::problem::Problem;
use crate::publish::{Draft, DraftAction, DraftChange, Written};
use crate::rpc::{error, to_proto};

impl ConfigService {
    /// What is wrong with the text is an answer; what keeps it from being judged is not.
    pub(super) async fn linted(&self, request: wire::LintRequest) -> Result<wire::LintReply, Problem> {
        let format = named_format(request.format, &request.path)?;
        let (path, text) = (request.path.clone(), request.text.clone());
        let read = self.publisher.offload().compute(move || {
            let value = value("text", format, &text)?;
            Ok((value, policy("text", &path, format, &text)?))
        });
        let read = read.await;
        let reply = |value, problem| wire::LintReply {
            value,
            problem,
            format: to_proto::format(format).into(),
            ..wire::LintReply::default()
        };
        let (value, policy) = match read {
            Ok(read) => read,
            Err(problem) => return Ok(reply(Bytes::new(), Some(error::to_wire(&problem)))),
        };
        let canonical = canonical(&value);
        if !request.judge {
            return Ok(reply(canonical, None));
        }
        let written = Written { format, text: request.text, value, policy, secrets: Vec::new() };
        let action = DraftAction::Put(Box::new(written));
        let changes = vec![DraftChange { path: request.path, expected: None, action }];
        match self.publisher.try_publish(Draft { changes, ..Draft::default() }).await {
            Ok(judged) => {
                let (objections, objections_more) = objections_told(&judged.objections);
                Ok(wire::LintReply { objections, objections_more, ..reply(canonical, None) })
            }
            Err(problem @ (Problem::Rejected(_) | Problem::Invalid { .. } | Problem::Declined { .. })) => {
                Ok(reply(canonical, Some(error::to_wire(&problem))))
            }
            Err(problem) => Err(problem),
        }
    }
}
