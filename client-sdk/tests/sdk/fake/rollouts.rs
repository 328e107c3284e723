//! `keeper.v1.Rollouts`: one rollout, which steps as it is told.

use keeper_proto::v1::{
    AbortRolloutRequest, AdvanceRolloutRequest, GetRolloutRequest, ListRolloutsReply, ListRolloutsRequest,
    PromoteRolloutRequest, PublishReply, Rollout, RolloutReply, StartRolloutReply, StartRolloutRequest,
    StepRolloutRequest, rollout::State, rollouts_server::Rollouts,
};
use tonic::{Request, Response, Status};

use super::{Node, sessions::broken};

type Stepped = Result<Response<RolloutReply>, Status>;

#[tonic::async_trait]
impl Rollouts for Node {
    async fn start(&self, request: Request<StartRolloutRequest>) -> Result<Response<StartRolloutReply>, Status> {
        self.lead()?;
        let stages = request.into_inner().stages;
        let rollout = self.state.change(|book| {
            book.revision += 1;
            let state = State::Running.into();
            let rollout =
                Rollout { rollout: book.revision, state, stages, opened_at_ms: vec![1], ..Rollout::default() };
            book.rollout = Some(rollout.clone());
            rollout
        });
        let verdict = Some(PublishReply { revision: rollout.rollout, changed: true, ..PublishReply::default() });
        Ok(Response::new(StartRolloutReply { rollout: Some(rollout), verdict, stage_instances: Vec::new() }))
    }

    async fn advance(&self, request: Request<AdvanceRolloutRequest>) -> Stepped {
        let author = request.into_inner().author;
        self.step(author, |rollout| rollout.opened_at_ms.push(2))
    }

    async fn pause(&self, request: Request<StepRolloutRequest>) -> Stepped {
        self.step(request.into_inner().author, |rollout| rollout.state = State::Paused.into())
    }

    async fn resume(&self, request: Request<StepRolloutRequest>) -> Stepped {
        self.step(request.into_inner().author, |rollout| rollout.state = State::Running.into())
    }

    async fn promote(&self, request: Request<PromoteRolloutRequest>) -> Stepped {
        self.step(request.into_inner().author, |rollout| rollout.state = State::Promoted.into())
    }

    async fn abort(&self, request: Request<AbortRolloutRequest>) -> Stepped {
        self.step(request.into_inner().author, |rollout| rollout.state = State::Aborted.into())
    }

    async fn get(&self, _: Request<GetRolloutRequest>) -> Stepped {
        self.lead()?;
        Ok(Response::new(RolloutReply { rollout: self.state.read(|book| book.rollout.clone()), heard: None }))
    }

    async fn list(&self, _: Request<ListRolloutsRequest>) -> Result<Response<ListRolloutsReply>, Status> {
        let rollouts = self.state.read(|book| book.rollout.iter().cloned().collect());
        Ok(Response::new(ListRolloutsReply { revision: 100, rollouts }))
    }
}

impl Node {
    fn step(&self, author: String, step: impl FnOnce(&mut Rollout)) -> Stepped {
        if let Err(status) = self.lead() {
            self.state.change(|book| book.steps_refused += 1);
            return Err(status);
        }
        let (rollout, lose) = self.state.change(|book| {
            book.steps += 1;
            if let Some(rollout) = &mut book.rollout {
                step(rollout);
                rollout.by = author;
            }
            (book.rollout.clone(), book.lose_step.take())
        });
        match lose {
            Some(()) => Err(broken()),
            None => Ok(Response::new(RolloutReply { rollout, heard: None })),
        }
    }
}
