//! Admins of documents with layers: they publish several at once, delete layers, roll back; and they roll out, some of
//! it refused by those who are to run with it.

use std::time::Duration;

use keeper_client_sdk::{
    Applied, Configs, Edit, Error, Finished, Keeper, Publish, Reader, Rollback, RolloutState, Rollouts, Stage,
    StartRollout, StatusOf,
};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::client::{Client, pause};
use crate::documents::{self, PATHS, READERS, Said, Standing};

/// Pause between two publishes at most.
const PAUSE_MS: u64 = 500;

/// The same after a publish that was not taken: a rollout is in its way mostly, and soon over.
const AGAIN_MS: u64 = 150;

/// Pause between two looks at a rollout at most.
const LOOK_MS: u64 = 150;

/// Looks at a rollout before it is ended by hand.
const LOOKS_MAX: u32 = 45;

/// How long a stage is watched, at most.
const HOLD_MS: u64 = 500;

/// Versions that may be rolled back to.
const REMEMBERED_MAX: usize = 16;

/// Publishes until it is told to end, and asks who runs with it.
pub async fn publish_documents(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let (mut rng, configs) = (client.rng(), keeper.configs());
    let mut numbers = Numbers::of(&client);
    let mut published: Vec<(String, u64)> = Vec::new();
    let mut pause_ms = PAUSE_MS;
    while !client.history.is_over() {
        pause(&mut rng, pause_ms).await;
        let is_taken = match rng.random_range(0..10) {
            0..6 => several(&client, &configs, &mut rng, &mut numbers, &mut published).await,
            6..8 => roll_back(&client, &configs, &mut rng, &published).await,
            _ => {
                ask(&client, &configs, any_path(&mut rng), Duration::ZERO).await;
                true
            }
        };
        pause_ms = if is_taken { PAUSE_MS } else { AGAIN_MS };
    }
}

/// Rolls out until it is told to end.
pub async fn roll_out_documents(client: Client) {
    let Ok(keeper) = client.keeper() else { return };
    let (mut rng, rollouts) = (client.rng(), keeper.rollouts());
    let mut numbers = Numbers::of(&client);
    while !client.history.is_over() {
        pause(&mut rng, PAUSE_MS).await;
        let (publish, is_refused) = candidates(&mut rng, &mut numbers);
        let stages = stages(&mut rng);
        let start = stages.into_iter().fold(StartRollout::of(publish), StartRollout::stage);
        let started = rollouts.start(start).await;
        client.history.count("rollout", &started);
        let Some(rollout) = started.ok().and_then(|it| it.rollout) else {
            // One whose start or end was never answered may be in the way of all others.
            _ = end_all(&client, &rollouts).await;
            continue;
        };
        attend(&client, &keeper, &mut rng, rollout.rollout, is_refused).await;
    }
}

/// Nobody else uses them.
struct Numbers(u64);

impl Numbers {
    const fn of(client: &Client) -> Self {
        Self((client.seed % (1 << 20)) << 20)
    }

    const fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

fn any_path(rng: &mut StdRng) -> &'static str {
    PATHS[rng.random_range(0..PATHS.len())]
}

/// Several keys at once, of both documents mostly; whether that was taken.
async fn several(
    client: &Client,
    configs: &Configs,
    rng: &mut StdRng,
    numbers: &mut Numbers,
    published: &mut Vec<(String, u64)>,
) -> bool {
    let edits = edits(rng, numbers, &[]);
    let keys: Vec<String> = edits.iter().map(|(key, _)| key.clone()).collect();
    let count = keys.len();
    let answer = configs.publish(together(edits)).await;
    client.history.count(if count > 1 { "publish-several" } else { "publish-one" }, &answer);
    let Ok(answer) = answer else { return false };
    published.extend(keys.into_iter().map(|key| (key, answer.revision)));
    published.drain(..published.len().saturating_sub(REMEMBERED_MAX));
    true
}

async fn roll_back(client: &Client, configs: &Configs, rng: &mut StdRng, published: &[(String, u64)]) -> bool {
    let Some((key, revision)) = published.choose(rng) else { return false };
    let answer = configs.rollback(Rollback::to(key, *revision)).await;
    client.history.count("rollback", &answer);
    answer.is_ok()
}

/// Changes of one to four keys; a layer is deleted now and then.
fn edits(rng: &mut StdRng, numbers: &mut Numbers, refusing: &[&str]) -> Vec<(String, Edit)> {
    let mut keys: Vec<_> = documents::keys().collect();
    keys.shuffle(rng);
    keys.truncate(rng.random_range(1..=4));
    let number = numbers.next();
    let edit = |(key, field): (String, &str), is_deleted: bool| {
        let edit =
            if is_deleted { Edit::delete(&key) } else { Edit::put(&key, documents::text(field, number, refusing)) };
        (key, edit)
    };
    let mut is_deleted = |field: &str| field != "base" && rng.random_range(0..3) == 0;
    keys.into_iter().map(|key| (is_deleted(key.1), key)).map(|(is_deleted, key)| edit(key, is_deleted)).collect()
}

fn together(edits: Vec<(String, Edit)>) -> Publish {
    edits.into_iter().fold(Publish::default().author("sim"), |publish, (_, edit)| publish.and(edit))
}

/// What is rolled out, and whether somebody would refuse it.
fn candidates(rng: &mut StdRng, numbers: &mut Numbers) -> (Publish, bool) {
    let count = [0, 0, 1, 2][rng.random_range(0..4)];
    let mut refusing = READERS;
    refusing.shuffle(rng);
    (together(edits(rng, numbers, &refusing[..count])), count > 0)
}

/// Some first, then more, then all.
fn stages(rng: &mut StdRng) -> Vec<Stage> {
    let mut hold = || Duration::from_millis(rng.random_range(0..=HOLD_MS));
    let (first, second, last) = (hold(), hold(), hold());
    let canaries = Stage::everybody().among(Reader::nobody().label("ring", "canary"));
    let begin = if rng.random_range(0..2) == 0 { canaries } else { Stage::share_bps(rng.random_range(1_000..=6_000)) };
    let share = Stage::share_bps(rng.random_range(3_000..=9_000));
    vec![begin.hold(first), share.hold(second), Stage::everybody().hold(last)]
}

/// Looks at a rollout until it has ended; pauses, aborts and promotes it now and then.
async fn attend(client: &Client, keeper: &Keeper, rng: &mut StdRng, rollout: u64, is_refused: bool) {
    let rollouts = keeper.rollouts();
    for _ in 0..LOOKS_MAX {
        pause(rng, LOOK_MS).await;
        let Ok(status) = rollouts.get(rollout).await else { continue };
        if status.rollout.state.is_finished() {
            return count_ended(client, status.rollout.state);
        }
        if client.history.is_over() {
            break;
        }
        let author = &client.name;
        match rng.random_range(0..60) {
            0 => _ = rollouts.pause(rollout, author).await,
            1..4 if status.rollout.state == RolloutState::Paused => _ = rollouts.resume(rollout, author).await,
            4 if !is_refused => _ = rollouts.promote(rollout, author, None).await,
            5 => _ = rollouts.abort(rollout, author, "another idea").await,
            6..12 => ask(client, &keeper.configs(), any_path(rng), Duration::ZERO).await,
            _ => {}
        }
    }
    end(client, &rollouts, rollout).await;
}

async fn end(client: &Client, rollouts: &Rollouts, rollout: u64) {
    if let Ok(status) = rollouts.abort(rollout, &client.name, "it takes too long").await {
        count_ended(client, status.rollout.state);
    }
}

async fn end_all(client: &Client, rollouts: &Rollouts) -> Result<(), Error> {
    for rollout in rollouts.list("", Finished::Without).await? {
        let aborted = rollouts.abort(rollout.rollout, &client.name, "nobody attends to it").await;
        // Whoever attended to it may have ended it meanwhile.
        if let Err(error) = aborted
            && !rollouts.get(rollout.rollout).await?.rollout.state.is_finished()
        {
            return Err(error);
        }
    }
    Ok(())
}

fn count_ended(client: &Client, state: RolloutState) {
    let kind = match state {
        RolloutState::Promoted => "promoted",
        RolloutState::Stopped => "stopped",
        RolloutState::Aborted => "aborted",
        RolloutState::Running | RolloutState::Paused => return,
    };
    client.history.count(kind, &Ok::<(), &str>(()));
}

/// Asks who runs with what.
pub(super) async fn ask(client: &Client, configs: &Configs, path: &str, wait: Duration) {
    let question = StatusOf::path(path).limit(100);
    let question = if wait.is_zero() { question } else { question.wait(10_000, u64::MAX, wait) };
    let answer = configs.status(question).await;
    client.history.count("status", &answer);
    let Ok(answer) = answer else { return };
    let at = client.history.moment();
    let said = answer.instances.iter().map(|it| Said {
        reader: it.id.clone(),
        wanted: it.wanted_revision,
        is_applied: it.applied == Applied::Yes && it.revision >= it.wanted_revision,
        is_silent: it.revision == 0,
    });
    let said: Vec<_> = said.collect();
    let applied = said.iter().filter(|it| it.is_applied).count();
    (0..applied).for_each(|_| client.history.count("acknowledged", &Ok::<(), &str>(())));
    let standing = Standing { path: path.to_owned(), at, readers: answer.readers, applied: answer.applied, said };
    client.history.with(|records| records.heard.statuses.push(standing));
}

/// Leaves nothing behind that goes on, or that somebody refuses.
///
/// # Errors
/// A call failed although all is healed.
pub(super) async fn tidy_up(client: &Client, keeper: &Keeper) -> anyhow::Result<()> {
    end_all(client, &keeper.rollouts()).await?;
    let mut edits = Vec::new();
    for (key, field) in documents::keys() {
        let text = keeper.configs().get(&key).await?.map(|it| it.text);
        if text.is_some_and(|text| text.contains("_refusing")) {
            let edit = Edit::put(&key, documents::text(field, client.seed, &[]));
            edits.push((key, edit));
        }
    }
    if !edits.is_empty() {
        keeper.configs().publish(together(edits)).await?;
    }
    Ok(())
}
