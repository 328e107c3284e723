//! After notices were missed: the connections are compared with the registry.
//!
//! Each key is asked for, a frame of keys at a time, linearizably: a session that was registered before the question
//! and is not found, or is found elsewhere, has ended. What was registered meanwhile is told apart by its epoch; what
//! is under way is compared when it is answered.

use std::sync::Arc;

use bytes::Bytes;
use keeper_proto::v1::{self, LookupRequest, lookup_reply::Found, sessions_client::SessionsClient};
use tokio::time;

use crate::{
    Error, Holder,
    connection::{Aim, Nodes, Retry},
    gateway::{
        desk::Desk,
        notices::{Compared, Comparison},
    },
    limits,
    session::{from_proto, to_proto},
};

/// Compares every connection, and remembers to confirm the cursor when those that have ended are closed.
pub(super) async fn reconcile(desk: &Desk, nodes: &Arc<Nodes>, cursor: Bytes) {
    let number = desk.change(|table| table.confirmations.begin(cursor));
    let mut comparison = Comparison::default();
    tracing::warn!("notices were missed: the connections are compared with the registry");
    loop {
        let compared = desk.read(|table| table.to_compare(&mut comparison, limits::FRAME_OPERATIONS_MAX));
        if compared.is_empty() {
            if !comparison.is_waiting() {
                break;
            }
            time::sleep(limits::BACKOFF_MIN).await;
            continue;
        }
        let holders = loop {
            match ask(nodes, &compared).await {
                Ok(holders) => break holders,
                Err(error) => tracing::warn!(%error, "the connections cannot be compared with the registry yet"),
            }
            time::sleep(limits::LIFE_PAUSE).await;
        };
        desk.change(|table| {
            for (compared, holder) in compared.iter().zip(holders) {
                table.compared(compared, holder, number);
            }
        });
    }
    desk.change(|table| table.acted(number));
}

/// Who holds each key.
async fn ask(nodes: &Arc<Nodes>, compared: &[Compared]) -> Result<Vec<Option<Holder>>, Error> {
    let keys = compared.iter().map(|it| to_proto::key(&it.key)).collect();
    let mut request = LookupRequest { keys, ..LookupRequest::default() };
    request.set_consistency(v1::Consistency::Linearizable);
    let method = |channel, request| async move {
        SessionsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX).lookup(request).await
    };
    let reply = nodes.call("session lookup", Aim::Leader, Retry::Safe, request, method).await?;
    if reply.keys.len() != compared.len() {
        return Err(Error::malformed("an answer with fewer results than questions"));
    }
    let owners = from_proto::owners(reply.owners);
    let holder = |found: Found| {
        let Some(session) = found.session else { return Ok(None) };
        let session = from_proto::session(session, &owners)?;
        Ok(Some(Holder {
            service: session.owner.service.clone(),
            instance: session.owner.instance.clone(),
            incarnation: session.owner.incarnation,
            connection: session.connection,
            epoch: session.epoch,
        }))
    };
    reply.keys.into_iter().map(holder).collect()
}
