//! What admins ask of rollouts: read from the log as it was, or refused by the name of a field.

use keeper_proto::v1 as wire;
use keeper_registry::{Command, Gates, StartRollout, limits};
use prost::Message;

use super::start::{WHOLE_BPS, read_stages};
use crate::rpc::config;
use crate::rpc::fuzz::{is_logged, is_told};

pub(in crate::rpc) fn start_rollout_request(input: &[u8]) {
    let Ok(request) = wire::StartRolloutRequest::decode(input) else { return };
    let draft = config::draft(request.publish.unwrap_or_default());
    match (read_stages(request.stages), draft) {
        (Ok(stages), Ok(draft)) => {
            assert!((1..=limits::STAGES_MAX).contains(&stages.len()));
            assert!(stages.iter().all(|stage| (1..=WHOLE_BPS).contains(&stage.share_bps)));
            let gates = Gates { applied_bps: request.applied_bps };
            is_logged(Command::StartRollout(StartRollout { publish: draft.publish(), stages, gates }));
        }
        (Err(problem), _) | (_, Err(problem)) => is_told(&problem),
    }
}
