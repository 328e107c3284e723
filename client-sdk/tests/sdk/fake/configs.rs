//! `keeper.v1.Configs`: texts are JSON and are their own canonical values.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use keeper_proto::v1::{
    ConfigStatusReply, ConfigStatusRequest, ConfigsChanged, ConsumersReply, ConsumersRequest, ConvertReply,
    ConvertRequest, DiffReply, DiffRequest, Document, EffectiveReply, EffectiveRequest, GetConfigReply,
    GetConfigRequest, HistoryReply, HistoryRequest, LintReply, LintRequest, ListConfigsReply, ListConfigsRequest,
    MergeReply, MergeRequest, PublishReply, PublishRequest, RollbackRequest, WatchConfigsRequest,
    configs_server::Configs, publish_request::change::Action,
};
use tokio::time::timeout;
use tonic::{Request, Response, Status};

use super::{Node, Replies, STATE_ID, sessions::broken, state::Book};

#[tonic::async_trait]
impl Configs for Node {
    type WatchStream = Replies<ConfigsChanged>;

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishReply>, Status> {
        self.lead()?;
        let request = request.into_inner();
        let (revision, lose) = self.state.change(|book| {
            let revision = match book.publishes.get(&request.request_id[..]) {
                Some(first) => *first,
                None => publish(book, request),
            };
            (revision, book.lose_publish.take())
        });
        match lose {
            Some(()) => Err(broken()),
            None => Ok(Response::new(PublishReply { revision, changed: true, ..PublishReply::default() })),
        }
    }

    async fn get(&self, request: Request<GetConfigRequest>) -> Result<Response<GetConfigReply>, Status> {
        let path = request.into_inner().path;
        let (revision, document) = self.state.read(|book| (book.revision, book.documents.get(&path).cloned()));
        Ok(Response::new(GetConfigReply { revision, document: document.filter(|it| !it.deleted), age_ms: Some(0) }))
    }

    async fn list(&self, _: Request<ListConfigsRequest>) -> Result<Response<ListConfigsReply>, Status> {
        Ok(Response::new(ListConfigsReply::default()))
    }

    async fn history(&self, _: Request<HistoryRequest>) -> Result<Response<HistoryReply>, Status> {
        Ok(Response::new(HistoryReply::default()))
    }

    async fn lint(&self, _: Request<LintRequest>) -> Result<Response<LintReply>, Status> {
        Ok(Response::new(LintReply { problem: Some(super::refused("syntax")), ..LintReply::default() }))
    }

    async fn watch(&self, request: Request<WatchConfigsRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let WatchConfigsRequest { selectors, cursor, .. } = request.into_inner();
        self.state.change(|book| book.watches.push((selectors.clone(), cursor)));
        let mut breaks = self.state.breaks.subscribe();
        let broken = async move { drop(breaks.changed().await) };
        let changes = self.state.changes();
        let replies = stream::unfold((self.clone(), selectors, cursor, changes), |mut watch| async move {
            loop {
                let (node, selectors, cursor, changes) = &mut watch;
                changes.mark_unchanged();
                if let Some(frame) = node.state.read(|book| since(book, selectors, *cursor)) {
                    *cursor = frame.cursor;
                    return Some((Ok(frame), watch));
                }
                changes.changed().await.ok()?;
            }
        });
        Ok(Response::new(replies.take_until(broken).boxed()))
    }

    async fn rollback(&self, _: Request<RollbackRequest>) -> Result<Response<PublishReply>, Status> {
        Err(judged_elsewhere())
    }

    async fn effective(&self, _: Request<EffectiveRequest>) -> Result<Response<EffectiveReply>, Status> {
        Err(judged_elsewhere())
    }

    async fn diff(&self, _: Request<DiffRequest>) -> Result<Response<DiffReply>, Status> {
        Err(judged_elsewhere())
    }

    async fn merge(&self, _: Request<MergeRequest>) -> Result<Response<MergeReply>, Status> {
        Err(judged_elsewhere())
    }

    async fn convert(&self, _: Request<ConvertRequest>) -> Result<Response<ConvertReply>, Status> {
        Err(judged_elsewhere())
    }

    async fn consumers(&self, _: Request<ConsumersRequest>) -> Result<Response<ConsumersReply>, Status> {
        Err(judged_elsewhere())
    }

    async fn status(&self, request: Request<ConfigStatusRequest>) -> Result<Response<ConfigStatusReply>, Status> {
        self.lead()?;
        let request = request.into_inner();
        let wait = Duration::from_millis(request.wait_timeout_ms.into());
        self.state.change(|book| book.statuses.push(request));
        let mut changes = self.state.changes();
        let converged =
            async { while !self.state.read(|book| book.is_converged) && changes.changed().await.is_ok() {} };
        // Either way the waiting is over.
        let _ = timeout(wait, converged).await;
        let applied = self.state.read(|book| u32::from(book.is_converged));
        Ok(Response::new(ConfigStatusReply { readers: 1, applied, ..ConfigStatusReply::default() }))
    }
}

fn judged_elsewhere() -> Status {
    Status::unimplemented("the fake only keeps what is published")
}

fn publish(book: &mut Book, request: PublishRequest) -> u64 {
    book.revision += 1;
    let revision = book.revision;
    for change in request.changes {
        let (text, deleted) = match change.action {
            Some(Action::Put(put)) => (put.text, false),
            Some(Action::Delete(_)) | None => (String::new(), true),
        };
        let value = text.clone().into_bytes().into();
        let document = Document { path: change.path.clone(), text, value, revision, deleted, ..Document::default() };
        book.documents.insert(change.path, document);
    }
    book.publishes.insert(request.request_id.to_vec(), revision);
    revision
}

/// What a watch at `cursor` has not been told; the full set when it begins.
fn since(book: &Book, selectors: &[String], cursor: u64) -> Option<ConfigsChanged> {
    let documents = book.documents.values().filter(|it| selectors.contains(&it.path) && it.revision > cursor);
    let documents: Vec<_> = documents.filter(|it| cursor > 0 || !it.deleted).cloned().collect();
    let reset = cursor == 0;
    (reset || !documents.is_empty()).then_some(ConfigsChanged {
        cursor: book.revision,
        state_id: STATE_ID,
        reset,
        documents,
        more: false,
    })
}
