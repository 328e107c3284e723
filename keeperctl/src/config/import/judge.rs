//! What the servers say of every document before the first is published.
//!
//! They are asked as they will be told: in the same publishes, which are judged as publishes are, against what is
//! published now. Below the feature level that answers this they check the texts alone.

use futures_util::{StreamExt, stream};
use keeper_client_sdk::Publish;

use super::plan::{Found, Left};
use crate::{
    admin::Admin,
    config::{
        batch::{self, Progress, Sized},
        blame,
        verdict::Judged,
    },
    failure::{Failure, Kind},
    limits,
};

/// What may be published, and what not.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) changes: Vec<Sized>,
    /// Which would be refused, by their paths, and why.
    pub(super) wrong: Vec<(String, String)>,
    pub(super) judged: Judged,
}

pub(super) async fn judge(admin: &mut Admin<'_, '_>, changes: Vec<Sized>) -> Result<Judgement, Failure> {
    let mut progress = Progress::new("judged", changes.len());
    let mut judgement = Judgement::default();
    for batch in batch::batches(changes) {
        let documents = batch.len();
        judge_one(admin, batch, &mut judgement).await?;
        progress.went(admin, documents);
    }
    Ok(judgement)
}

/// One publish. If single documents are to blame that it would be refused, the others are judged without them.
async fn judge_one(admin: &Admin<'_, '_>, batch: Vec<Sized>, judgement: &mut Judgement) -> Result<(), Failure> {
    let asked = ask(admin, &batch).await;
    let (batch, judged) = match asked {
        Ok(judged) => (batch, judged),
        Err(error) if blame::is_of_one(&error) => {
            let wrong = blame::of(admin, &batch).await;
            if wrong.is_empty() {
                return Err(error.into());
            }
            let is_wrong = |place: usize| wrong.iter().any(|(wrong, _)| *wrong == place);
            let paths = wrong.iter().map(|(place, failure)| (batch[*place].path.clone(), failure.message.clone()));
            judgement.wrong.extend(paths);
            let sound = batch.iter().enumerate().filter(|(place, _)| !is_wrong(*place));
            let sound: Vec<_> = sound.map(|(_, change)| change.clone()).collect();
            if sound.is_empty() {
                return Ok(());
            }
            let judged = ask(admin, &sound).await?;
            (sound, judged)
        }
        Err(error) => return Err(error.into()),
    };
    judgement.changes.extend(batch);
    judgement.judged.and(judged);
    Ok(())
}

async fn ask(admin: &Admin<'_, '_>, batch: &[Sized]) -> Result<Judged, keeper_client_sdk::Error> {
    let edits = batch.iter().map(|change| change.edit.clone());
    let publish = edits.fold(Publish::default(), Publish::and);
    admin.keeper.configs().dry_run(publish).await.map(Judged::asked)
}

/// Those whose texts the servers can read; the others are left, each with its place.
pub(super) async fn sound(
    admin: &mut Admin<'_, '_>,
    found: Vec<Found>,
    left: &mut Vec<Left>,
) -> Result<Vec<Found>, Failure> {
    let mut progress = Progress::new("checked", found.len());
    let configs = admin.keeper.configs();
    let linted = stream::iter(found).map(|document| {
        let linted = configs.lint(document.path.clone(), Some(document.format), document.text.clone());
        async move { (linted.await, document) }
    });
    let mut linted = linted.buffered(limits::ASKED_AT_ONCE);
    let mut sound = Vec::new();
    while let Some((linted, document)) = linted.next().await {
        match linted.map_err(Failure::from) {
            Ok(_) => sound.push(document),
            Err(failure) if failure.kind == Kind::Refused => left.push(Left::new(document.name, failure.message)),
            Err(failure) => return Err(failure),
        }
        progress.went(admin, 1);
    }
    Ok(sound)
}
