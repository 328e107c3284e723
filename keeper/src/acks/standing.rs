//! How instances stand to what they are to run with.

use std::sync::Arc;

use keeper_registry::{Instance, Revision, State, planted};

use super::{Ack, Acks, Health};
use crate::limits::STANDINGS_READ;
use crate::merged::Layered;
use crate::metrics::Applied;
use crate::problem::Problem;

/// An open instance that reads a document, and how it stands to it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Which.
    pub instance: Arc<Instance>,
    /// What it is to run with.
    pub wanted: Revision,
    /// The rollout whose candidates that has.
    pub rollout: Option<u64>,
    /// What it said of the document last.
    pub said: Option<Ack>,
    /// What it said of itself last.
    pub health: Option<Health>,
    /// What follows from that.
    pub verdict: Verdict,
}

impl Standing {
    /// What it runs with; `Revision(0)`: nobody knows.
    #[must_use]
    pub fn running(&self) -> Revision {
        match (self.verdict, &self.said) {
            (Verdict::Applied | Verdict::NeedsRestart, _) => self.wanted,
            (Verdict::Refused | Verdict::Waiting, said) => {
                said.as_ref().map_or_else(Revision::default, |ack| ack.running)
            }
        }
    }
}

/// Whether an instance runs with what it is to run with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It cannot, and says so.
    Refused,
    /// It has said nothing of it.
    Waiting,
    /// But for fields that only count after a restart.
    NeedsRestart,
    /// It does.
    Applied,
}

/// An instance of which the state is still to be asked.
struct Asked {
    instance: Arc<Instance>,
    said: Option<Ack>,
    health: Option<Health>,
}

/// What the state says of one.
struct Read {
    wanted: Revision,
    rollout: Option<u64>,
    /// There is nothing for it, and never was in its life.
    has_nothing: bool,
    /// What it is to run with, and what it spoke of last, where these are two revisions.
    versions: Option<(Layered, Layered)>,
}

impl Acks {
    /// How every open instance stands that said it reads a path, and that is wanted; in the order of incarnations.
    ///
    /// The state is read in slices, so that no entry waits for all of them: what changes meanwhile is seen of some
    /// instances and not of others.
    ///
    /// # Errors
    /// This node does not lead.
    pub fn standings(&self, path: &str, is_wanted: impl Fn(&Instance) -> bool) -> Result<Vec<Standing>, Problem> {
        let path: Arc<str> = path.into();
        let mut instances = self.replica.read(|state| {
            let readers = state.consumers(&path).flat_map(|group| group.incarnations());
            readers.filter_map(|it| state.instance(it)).filter(|it| is_wanted(it)).cloned().collect::<Vec<_>>()
        });
        instances.sort_unstable_by_key(|instance| instance.incarnation);
        let asked = self.in_office(|office| {
            let ask = |instance: Arc<Instance>| {
                let said = office.table.said(instance.incarnation);
                let health = said.and_then(|said| said.health.clone());
                Asked { said: said.and_then(|said| said.documents.get(&path)).cloned(), health, instance }
            };
            instances.into_iter().map(ask).collect::<Vec<_>>()
        })?;
        let mut standings = Vec::with_capacity(asked.len());
        for slice in asked.chunks(STANDINGS_READ) {
            let read = self.replica.read(|state| slice.iter().map(|it| read(state, &path, it)).collect::<Vec<_>>());
            standings.extend(slice.iter().zip(read).map(|(asked, read)| self.standing(asked, read)));
        }
        Ok(standings)
    }

    fn standing(&self, asked: &Asked, read: Read) -> Standing {
        let Asked { instance, said, health } = asked;
        let Read { wanted, rollout, has_nothing, versions } = read;
        let verdict = match said {
            None if has_nothing => Verdict::Applied,
            None => Verdict::Waiting,
            Some(ack) => {
                let is_same = || versions.is_some_and(|(now, before)| self.merges.are_same(&now, &before));
                match ack.applied {
                    _ if ack.revision < wanted && !planted!("ack-older") && !is_same() => Verdict::Waiting,
                    Applied::Yes => Verdict::Applied,
                    Applied::NeedsRestart => Verdict::NeedsRestart,
                    Applied::Refused => Verdict::Refused,
                }
            }
        };
        let (instance, said, health) = (Arc::clone(instance), said.clone(), health.clone());
        Standing { instance, wanted, rollout, said, health, verdict }
    }
}

fn read(state: &State, path: &Arc<str>, asked: &Asked) -> Read {
    let instance = &asked.instance;
    let config = state.config_for(path, instance);
    let before = asked.said.as_ref().filter(|ack| ack.revision < config.revision);
    let before = before.and_then(|ack| state.config_for_at(path, instance, ack.revision));
    let reader = Some(instance.incarnation);
    let layered = |layers: &[_]| Layered::of(state, path, layers, reader);
    Read {
        wanted: config.revision,
        rollout: config.rollout,
        has_nothing: config.layers.is_empty() && config.revision <= instance.opened,
        versions: before.map(|before| (layered(&config.layers), layered(&before))),
    }
}
