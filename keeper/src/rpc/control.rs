//! `keeper.v1.Controls`.

use std::sync::Arc;

use futures_util::stream;
use keeper_proto::v1 as wire;
use keeper_proto::v1::controls_server::Controls;
use keeper_registry::{
    AcknowledgeControl, Addressed, AnswerState, Command, Control, Incarnation, Rejection, Reply, SendControl, State,
    StateId,
};
use tonic::{Request, Response, Status};

use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::rpc::{ReplyStream, error, from_proto};
use crate::view::{Consistency, View};
use crate::watch::Watches;

/// What a control takes in the log beyond what its request says.
const OVERHEAD_BYTES: usize = 64;

/// How long a control is worth doing whose sender does not say.
const DEADLINE_MS_DEFAULT: u32 = 60_000;

/// The handler.
#[derive(Debug, Clone)]
pub(crate) struct ControlService {
    pub(crate) view: View,
    pub(crate) proposer: Proposer,
    pub(crate) watches: Watches,
}

#[tonic::async_trait]
impl Controls for ControlService {
    type WatchStream = ReplyStream<wire::ControlsAddressed>;

    async fn send(
        &self,
        request: Request<wire::SendControlRequest>,
    ) -> Result<Response<wire::SendControlReply>, Status> {
        let reply = self.address(request.into_inner()).await.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(reply))
    }

    async fn acknowledge(
        &self,
        request: Request<wire::AcknowledgeControlRequest>,
    ) -> Result<Response<wire::AcknowledgeControlReply>, Status> {
        let request = request.into_inner();
        let bytes = request.message.len() + OVERHEAD_BYTES;
        let command = Command::AcknowledgeControl(AcknowledgeControl {
            control: request.control,
            incarnation: Incarnation(request.incarnation),
            done: request.done,
            message: request.message,
        });
        let committed = self.proposer.propose(Lane::Lease, Proposal::new(command, bytes)).await;
        committed.map_err(|problem| error::status(&problem))?;
        Ok(Response::new(wire::AcknowledgeControlReply {}))
    }

    async fn get(&self, request: Request<wire::GetControlRequest>) -> Result<Response<wire::GetControlReply>, Status> {
        let number = request.into_inner().control;
        self.view.wait(Consistency::Linearizable).await.map_err(|problem| error::status(&problem))?;
        let reply = self.view.read(|state| state.control(number).map(|control| control_reply(state, control)));
        let missing = || error::status(&Rejection::NotFound { what: "control" }.into());
        Ok(Response::new(reply.ok_or_else(missing)?))
    }

    async fn watch(&self, request: Request<wire::WatchControlsRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let wire::WatchControlsRequest { incarnation, state_id } = request.into_inner();
        self.view.wait(Consistency::Linearizable).await.map_err(|problem| error::status(&problem))?;
        let state = (state_id != 0).then_some(StateId(state_id));
        let watch = self.watches.controls(Incarnation(incarnation), state);
        let replies = stream::unfold(watch.map_err(|problem| error::status(&problem))?, |mut watch| async move {
            let controls = watch.next().await?;
            let controls = controls.iter().map(addressed).collect();
            Some((Ok(wire::ControlsAddressed { controls }), watch))
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

impl ControlService {
    async fn address(&self, request: wire::SendControlRequest) -> Result<wire::SendControlReply, Problem> {
        let bytes = prost::Message::encoded_len(&request) + OVERHEAD_BYTES;
        let command = Command::SendControl(SendControl {
            service: request.service,
            id: request.id,
            action: request.action,
            argument: request.argument,
            deadline_ms: if request.deadline_ms == 0 { DEADLINE_MS_DEFAULT } else { request.deadline_ms },
            author: request.author,
            request: from_proto::request_id(&request.request_id)?,
        });
        let Committed { reply, .. } = self.proposer.propose(Lane::Lease, Proposal::new(command, bytes)).await?;
        let Reply::ControlSent { control, instances } = reply else {
            return Err(Problem::Unknown { reason: "an answer of another kind" });
        };
        Ok(wire::SendControlReply { control, instances })
    }
}

fn addressed(control: &Arc<Control>) -> wire::controls_addressed::Control {
    wire::controls_addressed::Control {
        control: control.number,
        action: control.action.to_string(),
        argument: control.argument.clone(),
        deadline_at_ms: control.deadline_at.0,
        author: control.author.to_string(),
    }
}

fn control_reply(state: &State, control: &Control) -> wire::GetControlReply {
    let answers = control.answers.iter().map(|answer| {
        let (said, message) = match state.addressed(answer) {
            Addressed::Waiting | Addressed::Answered(AnswerState::Waiting) => ("waiting", String::new()),
            Addressed::Gone => ("gone", String::new()),
            Addressed::Answered(AnswerState::Done { message }) => ("done", message.to_string()),
            Addressed::Answered(AnswerState::Refused { message }) => ("refused", message.to_string()),
        };
        wire::get_control_reply::Answer {
            service: control.service.to_string(),
            id: answer.instance.to_string(),
            incarnation: answer.incarnation.0,
            state: said.to_owned(),
            message,
        }
    });
    let deadline_ms = control.deadline_at.0 - control.sent_at.0;
    wire::GetControlReply {
        control: control.number,
        action: control.action.to_string(),
        argument: control.argument.clone(),
        author: control.author.to_string(),
        sent_at_ms: control.sent_at.0,
        deadline_ms: u32::try_from(deadline_ms).unwrap_or(u32::MAX),
        answers: answers.collect(),
    }
}
