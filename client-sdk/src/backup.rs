//! The state of a node, fetched as a file.
//!
//! The bytes are the servers' to read: here they are counted and held against the checksum that the node sends behind
//! them. A backup whose [`next`](Backup::next) has not answered `None` is none.

use std::fmt;

use bytes::Bytes;
use keeper_proto::v1::{BackupReply, BackupRequest, backup_reply::Part, backup_request, cluster_client::ClusterClient};
use tokio::time;
use tonic::Streaming;

use crate::{Cluster, Endpoint, Error, Happened, connection::Aim, error::Failure, limits};

/// What a backup promises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BackupOf {
    /// Everything that was acknowledged anywhere before it was asked for.
    #[default]
    Cluster,
    /// What the node has, which is all there is when a majority is lost.
    Node,
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupHead {
    /// The cluster's name.
    pub cluster: String,
    /// The node that gave it.
    pub node_id: u64,
    /// The history of the state.
    pub state_id: u64,
    /// It holds everything up to this revision.
    pub revision: u64,
    /// Log time as of that revision, Unix milliseconds.
    pub log_time_ms: u64,
    /// The node's wall clock, Unix milliseconds.
    pub taken_at_ms: u64,
    /// Sessions in it, those that linger or wait to be swept among them.
    pub sessions: u64,
    /// Size of the file.
    pub bytes: u64,
}

/// A backup on its way; see [`Cluster::backup`].
pub struct Backup {
    head: BackupHead,
    parts: Streaming<BackupReply>,
    received: u64,
    checksum: u32,
}

impl Cluster {
    /// Fetches the state of one node while it goes on working; one try. Waits for as long as the node needs to write a
    /// snapshot of it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason `full` when another backup is being taken from the node; otherwise as
    /// [`Error`] says.
    pub async fn backup(&self, endpoint: &Endpoint, of: BackupOf) -> Result<Backup, Error> {
        let node = self.nodes.pick(&Aim::At(endpoint.clone()))?;
        let consistency = match of {
            BackupOf::Cluster => backup_request::Consistency::Linearizable,
            BackupOf::Node => backup_request::Consistency::Local,
        };
        let mut client = ClusterClient::new(node.channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX);
        let request = BackupRequest { consistency: consistency.into() };
        let after = self.nodes.settings.attempt_timeout;
        let asked = time::timeout(after, client.backup(request)).await;
        let asked = asked.map_err(|_| Error::Timeout { operation: "backup", after, happened: Happened::No })?;
        let mut parts = asked.map_err(|status| Failure::from_status(&status).error)?.into_inner();
        match part(&mut parts).await? {
            Part::Head(head) => Ok(Backup { head: read(head), parts, received: 0, checksum: 0 }),
            Part::Piece(_) | Part::End(_) => Err(Error::malformed("a backup that does not begin with its head")),
        }
    }
}

impl Backup {
    /// What it says of itself.
    #[must_use]
    pub const fn head(&self) -> &BackupHead {
        &self.head
    }

    /// The next bytes of the file; none when all have come and their checksum holds.
    ///
    /// # Errors
    /// As [`Error`] says. The backup is of no use then.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match part(&mut self.parts).await? {
            Part::Piece(piece) => {
                self.received += piece.len() as u64;
                self.checksum = crc32c::crc32c_append(self.checksum, &piece);
                Ok(Some(piece))
            }
            Part::End(end) if end.checksum == self.checksum && self.received == self.head.bytes => Ok(None),
            Part::End(_) => {
                let (received, bytes) = (self.received, self.head.bytes);
                let found = format!("{received} bytes of {bytes} came, or others than were sent");
                Err(Error::malformed(format!("the backup was damaged on its way: {found}")))
            }
            Part::Head(_) => Err(Error::malformed("a backup with two heads")),
        }
    }
}

async fn part(parts: &mut Streaming<BackupReply>) -> Result<Part, Error> {
    let message = parts.message().await.map_err(|status| Failure::from_status(&status).error)?;
    let cut_off = || Error::unreachable("the node ended the backup before its end", Happened::No);
    message.ok_or_else(cut_off)?.part.ok_or_else(|| Error::malformed("a part of a backup without anything in it"))
}

fn read(head: keeper_proto::v1::BackupHead) -> BackupHead {
    BackupHead {
        cluster: head.cluster,
        node_id: head.node_id,
        state_id: head.state_id,
        revision: head.revision,
        log_time_ms: head.log_time_ms,
        taken_at_ms: head.taken_at_ms,
        sessions: head.sessions,
        bytes: head.bytes,
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Backup").field("head", &self.head).field("received", &self.received).finish()
    }
}
