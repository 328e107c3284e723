//! One judgement of one draft.

use std::collections::BTreeSet;
use std::sync::Arc;

use keeper_registry::limits::{OWN_PREFIX, PUBLISH_DOCUMENTS_MAX};
use keeper_registry::{Layer, Level, Publish, Rejection, Revision, Witness};

use super::told::{self, Before};
use super::{Draft, DraftAction, Publisher, Told, seal};
use crate::clock;
use crate::config::Field;
use crate::config::judge::{Case, Objections, Refusal, Verdict};
use crate::config::limits::ATTACHED_MAX;
use crate::config::secret::is_sealed;
use crate::format::{Value, canonical};
use crate::limits::JUDGED_INLINE_BYTES_MAX;
use crate::problem::Problem;
use crate::view::Consistency;

/// A publish that may be proposed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// With what it was judged by.
    pub publish: Publish,
    /// What it does to each document, in the order of the changes.
    pub documents: Vec<Told>,
    /// What speaks against it and was overruled, or is only told.
    pub objections: Objections,
    /// What is worth knowing, and refuses nothing.
    pub notes: Vec<String>,
    /// The state it was judged by.
    pub revision: Revision,
}

/// What becomes of what speaks against a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objecting {
    /// It refuses, unless the draft has a reason.
    Refuses,
    /// It is told.
    IsTold,
}

impl Publisher {
    /// Judges a draft by the state that this node has.
    ///
    /// # Errors
    /// It may not be proposed.
    pub async fn judge(&self, draft: &Arc<Draft>, objecting: Objecting) -> Result<Judged, Problem> {
        let began = clock::now();
        let judged = self.judge_by_state(draft, objecting).await;
        self.count(began, judged.as_ref().map(|judged| &judged.objections));
        judged
    }

    async fn judge_by_state(&self, draft: &Arc<Draft>, objecting: Objecting) -> Result<Judged, Problem> {
        if self.level() < Level::CONFIGS {
            // Nothing is left unjudged because this node has not heard yet that there is a level to judge by.
            self.view.wait(Consistency::Linearizable).await?;
        }
        check_size(draft)?;
        let (revision, level, before) = self.view.read(|state| {
            let before: Vec<_> = draft.changes.iter().map(|change| Before::of(state, &change.path)).collect();
            (state.revision(), state.level(), before)
        });
        if level < Level::CONFIGS {
            return self.unjudged(draft, &before, revision, level);
        }
        let kept = self.kept(draft, &before).await?;
        let (draft, kept) =
            kept.map_or_else(|| (Arc::clone(draft), Vec::new()), |(draft, kept)| (Arc::new(draft), kept));
        let publish = draft.publish();
        let case = self.view.read(|state| Case::of(state, &publish)).map_err(problem)?;
        let judging = Judging { publisher: self.clone(), draft, publish, before, kept, case, objecting };
        let judged = self.in_turn(judging.case.is_long(), || judging.judge()).await;
        judged.map(|judged| Judged { revision, ..judged })
    }

    /// In place if it is short, or else on a thread of its own, a few at a time.
    pub(super) async fn in_turn<T: Send + 'static>(
        &self,
        is_long: bool,
        judge: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if !is_long {
            return judge();
        }
        // It goes with the work, which goes on when nobody waits for it any more.
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let judge = move || {
            let _turn = turn;
            judge()
        };
        self.offload.compute(judge).await
    }

    /// With published secrets in the place of masks; none: there is nothing to do.
    async fn kept(&self, draft: &Arc<Draft>, before: &[Before]) -> Result<Option<(Draft, Vec<Witness>)>, Problem> {
        let bytes: usize = before.iter().flat_map(|before| &before.versions).map(|version| version.value.len()).sum();
        if bytes <= JUDGED_INLINE_BYTES_MAX && !seal::has_secrets(draft, before) {
            return Ok(None);
        }
        let (draft, before, keys) = (Arc::clone(draft), before.to_vec(), Arc::clone(&self.keys));
        let kept = move || seal::has_secrets(&draft, &before).then(|| seal::keep(&draft, &before, &keys)).transpose();
        self.in_turn(true, kept).await
    }

    /// As it was before there was anything to judge by.
    fn unjudged(
        &self,
        draft: &Draft,
        before: &[Before],
        revision: Revision,
        present: Level,
    ) -> Result<Judged, Problem> {
        if draft.written().any(|(_, _, written)| !written.secrets.is_empty()) {
            return Err(Problem::Rejected(Rejection::LevelTooLow { needed: Level::CONFIGS, present }));
        }
        let publish = draft.publish();
        let documents = told::told(&publish.changes, before, &[], &self.keys);
        let (objections, notes) = (Objections::default(), Vec::new());
        Ok(Judged { publish, documents, objections, notes, revision })
    }
}

/// What a judgement is made of, apart from the state.
struct Judging {
    publisher: Publisher,
    draft: Arc<Draft>,
    publish: Publish,
    before: Vec<Before>,
    kept: Vec<Witness>,
    case: Case,
    objecting: Objecting,
}

impl Judging {
    fn judge(mut self) -> Result<Judged, Problem> {
        let secrets = self.seal()?;
        let Self { publisher, draft: _, mut publish, before, kept, case, objecting } = self;
        let (compiled, keys) = (&publisher.compiled, &publisher.keys);
        let verdict = match objecting {
            Objecting::Refuses => case.judge(compiled, keys),
            Objecting::IsTold => case.weigh(compiled, keys),
        };
        let verdict = verdict.map_err(problem)?;
        publish.judged = verdict.witnesses;
        publish.judged.extend(kept);
        let documents = told::told(&publish.changes, &before, &secrets, keys);
        let Verdict { overruled: objections, notes, .. } = verdict;
        Ok(Judged { publish, documents, objections, notes, revision: Revision::default() })
    }

    /// Seals what the draft or a schema calls a secret; what is sealed then, of each change.
    fn seal(&mut self) -> Result<Vec<BTreeSet<Field>>, Problem> {
        let mut secrets = vec![BTreeSet::new(); self.draft.changes.len()];
        let mut has_any = false;
        for (place, key, written) in self.draft.written().filter(|(_, key, _)| !key.starts_with(OWN_PREFIX)) {
            let marked = self.marked(key, &written.value)?;
            secrets[place] = marked.into_iter().chain(written.secrets.iter().cloned()).collect();
            has_any |= !secrets[place].is_empty() || is_sealed(written.text.as_bytes());
        }
        if !has_any {
            return Ok(secrets);
        }
        let Publisher { keys, nonces, .. } = &self.publisher;
        let draft = Arc::make_mut(&mut self.draft);
        for (place, change) in draft.changes.iter_mut().enumerate() {
            let DraftAction::Put(written) = &mut change.action else { continue };
            let fields = std::mem::take(&mut secrets[place]);
            secrets[place] = seal::seal(place, &change.path, written, fields, keys, nonces)?;
            self.case.seal(&change.path, &canonical(&written.value));
        }
        self.publish = draft.publish();
        Ok(secrets)
    }

    /// Fields that a schema marks.
    fn marked(&self, key: &str, value: &Value) -> Result<Vec<Field>, Problem> {
        let path = Layer::of_key(key).map_or(key, |(path, _)| path);
        self.case.secrets(&self.publisher.compiled, path, value).map_err(|excess| Problem::Declined {
            reason: "too-large",
            message: format!("{path}: which of its fields are secrets cannot be found out: {excess}"),
        })
    }
}

/// What the state would refuse for its size is not judged first.
fn check_size(draft: &Draft) -> Result<(), Problem> {
    let (given, limit) = (draft.changes.len(), PUBLISH_DOCUMENTS_MAX);
    if given > limit {
        let (actual, limit) = (given as u64, limit as u64);
        return Err(Problem::Rejected(Rejection::TooLarge { field: "changes", actual, limit }));
    }
    Ok(())
}

/// A refusal in the words of this node.
pub(super) fn problem(refusal: Refusal) -> Problem {
    let message = refusal.to_string();
    match refusal {
        Refusal::Objected(objections) => Problem::Objected(objections),
        Refusal::Schema { .. } => Problem::Invalid { field: "changes".to_owned(), message },
        Refusal::TooManySchemas => {
            Problem::Rejected(Rejection::Full { what: "attached schemas", limit: ATTACHED_MAX as u64 })
        }
        Refusal::TooManyDocuments { .. } | Refusal::TooMuch { .. } | Refusal::TooLarge { .. } => {
            Problem::Declined { reason: "too-large", message }
        }
        Refusal::Unreadable { .. } => Problem::Declined { reason: "unreadable", message },
    }
}
