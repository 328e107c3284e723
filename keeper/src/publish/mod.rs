//! From what somebody asks for to a revision: judged here, decided where it is applied.
//!
//! A publish is judged on the leader, by the state as it has it: every effective document that changes, against the
//! schemas and the processes that read it (see [`crate::config::judge`]). The entry carries what it was judged by, and
//! is refused if any of that has moved when its turn comes; then it is judged anew here, a few times, before the caller
//! hears of it. So what is published was judged against exactly what it lies on.
//!
//! **A refusal is as good as a read.** A node that does not lead any more, and does not know it, may have a state that
//! is behind. What it would publish is refused by the log; what it would refuse it asks a majority about first, and
//! judges again.
//!
//! **Exactly once.** A request id that has its answer gets it, whatever would be judged of it by now.
//!
//! **Levels.** Before level 3 there is nothing to judge by, and no entry that could say so: a document is published as
//! it always was. A publish that is under way while the level is raised may be the last of these.
//!
//! [`Publisher::try_publish`] is the same without proposing: on any node, after a confirmed read.

mod counted;
mod draft;
mod judged;
mod rollout;
mod seal;
mod told;

use std::sync::Arc;

use keeper_registry::{Command, Level, Publish, Rejection, Reply, Revision};
use tokio::sync::Semaphore;

pub use draft::{Draft, DraftAction, DraftChange, Written};
pub use judged::{Judged, Objecting};
pub use rollout::Started;
pub use seal::Nonces;
pub use told::Told;
pub(crate) use told::hide;

use crate::config::judge::Objections;
use crate::config::schema::Compiled;
use crate::config::secret::KeyRing;
use crate::limits::{JUDGED_AGAIN_MAX, JUDGED_AT_ONCE_MAX};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::propose::{Committed, Lane, Proposal, Proposer};
use crate::raft::Offload;
use crate::view::{Consistency, View};

/// Judges and publishes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    view: View,
    proposer: Proposer,
    compiled: Arc<Compiled>,
    keys: Arc<KeyRing>,
    nonces: Nonces,
    offload: Offload,
    /// To judge what takes long.
    turns: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// What became of a publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Where the documents stand; of one that was only tried: the state it was judged by.
    pub revision: Revision,
    /// False when every text was already what is published.
    pub changed: bool,
    /// In the order of the changes; nothing when the request had been answered before.
    pub documents: Vec<Told>,
    /// What speaks against it, and was overruled or is only told.
    pub objections: Objections,
    /// What is worth knowing, and refuses nothing.
    pub notes: Vec<String>,
}

impl Publisher {
    /// Over the state and what proposes to it.
    #[must_use]
    pub fn new(
        view: View,
        proposer: Proposer,
        compiled: Arc<Compiled>,
        keys: Arc<KeyRing>,
        nonces: Nonces,
        offload: Offload,
        metrics: Arc<Metrics>,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(JUDGED_AT_ONCE_MAX));
        Self { view, proposer, compiled, keys, nonces, offload, turns, metrics }
    }

    /// The keys of secrets.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Where long computations run.
    #[must_use]
    pub const fn offload(&self) -> Offload {
        self.offload
    }

    /// Publishes all of it in one revision, or nothing.
    ///
    /// # Errors
    /// It is refused, by the judgement or by the state; or those of [`Proposer::propose`].
    pub async fn publish(&self, draft: Draft) -> Result<Published, Problem> {
        let draft = Arc::new(draft);
        let mut last = None;
        for _ in 0..JUDGED_AGAIN_MAX {
            self.proposer.check_leads()?;
            let judged = match self.judge(&draft, Objecting::Refuses).await {
                Ok(judged) => judged,
                Err(_) => {
                    self.view.wait(Consistency::Linearizable).await?;
                    if let Some(answer) = self.answered(&draft) {
                        return answer;
                    }
                    self.judge(&draft, Objecting::Refuses).await?
                }
            };
            let Judged { publish, documents, objections, notes, .. } = judged;
            match self.propose(publish).await {
                Ok((revision, changed)) => return Ok(Published { revision, changed, documents, objections, notes }),
                Err(problem @ Problem::Rejected(Rejection::Moved { .. })) => last = Some(problem),
                Err(problem) => return Err(problem),
            }
        }
        Err(last.unwrap_or(Problem::Unknown { reason: "it was not judged" }))
    }

    /// What a publish would do, and what speaks against it; nothing is published.
    ///
    /// # Errors
    /// It would be refused, whatever the reason given; or those of [`View::wait`].
    pub async fn try_publish(&self, draft: Draft) -> Result<Published, Problem> {
        self.view.wait(Consistency::Linearizable).await?;
        let judged = self.judge(&Arc::new(draft), Objecting::IsTold).await?;
        let Judged { publish, documents, objections, notes, revision } = judged;
        let changed = self.view.read(|state| state.would_publish(&publish))?;
        Ok(Published { revision, changed, documents, objections, notes })
    }

    async fn propose(&self, publish: Publish) -> Result<(Revision, bool), Problem> {
        let bytes = draft::bytes(&publish);
        let proposal = Proposal::new(Command::Publish(publish), bytes);
        let Committed { reply, .. } = self.proposer.propose(Lane::Config, proposal).await?;
        published(&reply)
    }

    /// The answer that a request has had.
    fn answered(&self, draft: &Draft) -> Option<Result<Published, Problem>> {
        let request = draft.request?;
        let answer = self.view.read(|state| state.answered(request).cloned())?;
        let answer = answer.map_err(Problem::Rejected).and_then(|reply| published(&reply));
        Some(answer.map(|(revision, changed)| Published {
            revision,
            changed,
            documents: Vec::new(),
            objections: Objections::default(),
            notes: Vec::new(),
        }))
    }

    fn level(&self) -> Level {
        self.view.read(keeper_registry::State::level)
    }
}

fn published(reply: &Reply) -> Result<(Revision, bool), Problem> {
    let Reply::Published { revision, changed } = reply else {
        return Err(Problem::Unknown { reason: "an answer of another kind" });
    };
    Ok((*revision, *changed))
}
