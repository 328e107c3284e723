//! Which feature levels the members read: asked of each, at once, when it matters.
//!
//! Nothing is remembered. A level is raised once in a release, and what a member said a minute ago may have been said
//! by another binary.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::join_all;
use keeper_proto::peer::envelope::Kind;
use keeper_registry::Level;
use openraft::async_runtime::watch::WatchReceiver as _;

use super::handle::RaftHandle;
use super::limits::READ_INDEX_MAX;
use super::members::MeetError;
use super::network::{CallError, Class, Peer};
use super::type_config::Member;

/// What a member says of its binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The newest feature level it reads.
    pub level_max: Level,
    /// Its release; empty for one from before there were levels.
    pub release: String,
}

impl RaftHandle {
    /// Asks every member, learners too. One that does not answer is an error in its place.
    pub async fn survey(&self) -> BTreeMap<u64, Result<Announced, String>> {
        let members: Vec<_> = {
            let metrics = self.raft.metrics();
            let seen = metrics.borrow_watched();
            seen.membership_config.membership().nodes().map(|(id, member)| (*id, member.clone())).collect()
        };
        let own = *self.raft.node_id();
        let asked = members.into_iter().map(|(id, member)| async move {
            if id == own {
                let release = env!("CARGO_PKG_VERSION").to_owned();
                return (id, Ok(Announced { level_max: self.levels.most(), release }));
            }
            let peer = self.peers.peer(Class::Control, id, &member);
            (id, announced(&peer).await.map_err(|error| error.to_string()))
        });
        join_all(asked).await.into_iter().collect()
    }

    /// The newest level that every member reads; none when one of them does not answer.
    pub async fn common_level(&self) -> Option<Level> {
        let survey = self.survey().await;
        survey.into_values().map(|said| said.ok().map(|said| said.level_max)).min().flatten()
    }

    /// What the node that listens there says of its binary, whoever it is.
    ///
    /// # Errors
    /// It is not reached, belongs to another cluster, or answers something else.
    pub async fn announced_at(&self, peer_endpoint: &str) -> Result<Announced, MeetError> {
        let stranger = Member { peer_endpoint: peer_endpoint.to_owned(), ..Member::default() };
        announced(&self.peers.stranger(0, &stranger)).await.map_err(MeetError)
    }
}

async fn announced(peer: &Peer) -> Result<Announced, CallError> {
    let answer = peer.exchange(Kind::Identify, Bytes::new(), READ_INDEX_MAX).await?;
    let announced = Announced { level_max: Level(answer.level_max).max(Level::FIRST), release: answer.release.clone() };
    peer.open(answer, Kind::Identify)?;
    Ok(announced)
}
