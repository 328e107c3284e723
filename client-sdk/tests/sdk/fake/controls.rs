//! `keeper.v1.Controls`: actions the test addresses, until they are answered.

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{
    AcknowledgeControlReply, AcknowledgeControlRequest, ControlsAddressed, GetControlReply, GetControlRequest,
    SendControlReply, SendControlRequest, WatchControlsRequest, controls_addressed::Control, controls_server::Controls,
};
use tonic::{Request, Response, Status};

use super::{Node, Replies};

#[tonic::async_trait]
impl Controls for Node {
    type WatchStream = Replies<ControlsAddressed>;

    async fn send(&self, request: Request<SendControlRequest>) -> Result<Response<SendControlReply>, Status> {
        let SendControlRequest { action, .. } = request.into_inner();
        let control = self.state.change(|book| {
            book.revision += 1;
            book.controls.push(Control { control: book.revision, action, ..Control::default() });
            book.revision
        });
        Ok(Response::new(SendControlReply { control, instances: 1 }))
    }

    async fn get(&self, _: Request<GetControlRequest>) -> Result<Response<GetControlReply>, Status> {
        Ok(Response::new(GetControlReply::default()))
    }

    async fn watch(&self, _: Request<WatchControlsRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let changes = self.state.changes();
        let replies = stream::unfold((self.clone(), 0, changes), |(node, told, mut changes)| async move {
            loop {
                changes.mark_unchanged();
                let controls: Vec<_> =
                    node.state.read(|book| book.controls.iter().filter(|it| it.control > told).cloned().collect());
                if let Some(last) = controls.last() {
                    let told = last.control;
                    return Some((Ok(ControlsAddressed { controls }), (node, told, changes)));
                }
                changes.changed().await.ok()?;
            }
        });
        Ok(Response::new(replies.boxed()))
    }

    async fn acknowledge(
        &self,
        request: Request<AcknowledgeControlRequest>,
    ) -> Result<Response<AcknowledgeControlReply>, Status> {
        let AcknowledgeControlRequest { control, .. } = request.into_inner();
        self.state.change(|book| book.controls.retain(|it| it.control != control));
        Ok(Response::new(AcknowledgeControlReply::default()))
    }
}
