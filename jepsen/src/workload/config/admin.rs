//! Those who publish, roll out, and ask.

use std::time::Duration;

use anyhow::{Context, Result};
use keeper_client_sdk::{
    Applied, ConfigStatus, Error, Finished, Keeper, Reader, RolloutStatus, Stage, StartRollout, StatusOf,
};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{ADMINS, LAST, PAIR, PATHS, ROLLED_FROM, pair};
use crate::workload::{Left, client::Client};

/// How long a stage is watched.
const HOLD: Duration = Duration::from_millis(300);

/// Pause between two looks at a rollout.
const LOOK: Duration = Duration::from_millis(100);

/// Looks at a rollout before it is ended.
const LOOKS_MAX: u32 = 60;

/// Between two publishes, so that there is room for rollouts.
const PUBLISH_PAUSE_MS: u64 = 400;

/// Rooms that may refuse: there are more, if there are clients enough.
const REFUSING: u32 = 4;

/// Tries of what must be done in the end.
const TRIES_MAX: u32 = 5;

pub(super) async fn publish(mut client: Client, stop: CancellationToken) -> Result<Left> {
    let mut number = 0;
    while !stop.is_cancelled() {
        number += 1;
        publish_pair(&mut client, "publish", number).await?;
        let path = PATHS[client.random.random_range(0..PATHS.len())];
        let asking = status(client.keeper.clone(), path);
        client.run("status", path, Value::Null, asking, told).await?;
        time::sleep(Duration::from_millis(client.random.random_range(0..=PUBLISH_PAUSE_MS))).await;
    }
    Ok(None)
}

async fn publish_pair(client: &mut Client, f: &'static str, number: u64) -> Result<Option<u64>> {
    let keeper = client.keeper.clone();
    let publishing = async move { keeper.configs().publish(pair(number, None)).await.map(|it| it.revision) };
    client.run(f, PAIR, json!({ "number": number }), publishing, |revision| json!({ "revision": revision })).await
}

async fn status(keeper: Keeper, path: &str) -> Result<ConfigStatus, Error> {
    keeper.configs().status(StatusOf::path(path).limit(100)).await
}

fn told(status: &ConfigStatus) -> Value {
    let rooms = status.instances.iter().map(|it| {
        let is_applied = it.applied == Applied::Yes && it.revision >= it.wanted_revision;
        json!({ "room": it.id, "wanted": it.wanted_revision, "applied": is_applied, "rollout": it.rollout })
    });
    json!({ "readers": status.readers, "applied": status.applied, "rooms": rooms.collect::<Vec<_>>() })
}

pub(super) async fn roll_out(mut client: Client, stop: CancellationToken) -> Result<Left> {
    let mut number = ROLLED_FROM;
    while !stop.is_cancelled() {
        client.pause().await;
        number += 1;
        // One whose start was never answered would be in the way of all others.
        abort_all(&mut client).await?;
        let refusing = format!("room-{}", ADMINS + client.random.random_range(0..REFUSING) / 2 * 2);
        let refused_by = client.random.random_ratio(1, 2).then_some(refusing.as_str());
        let first = Stage::everybody().among(Reader::nobody().label("ring", "first")).hold(HOLD);
        let start = StartRollout::of(pair(number, refused_by)).stage(first).stage(Stage::everybody().hold(HOLD));
        let keeper = client.keeper.clone();
        let starting = async move { keeper.rollouts().start(start).await };
        let id = |it: &keeper_client_sdk::RolloutStarted| it.rollout.as_ref().map(|it| it.rollout);
        let asked = json!({ "number": number, "refused_by": refused_by });
        let started = client.run("rollout", PAIR, asked, starting, |it| json!({ "rollout": id(it) })).await?;
        if let Some(id) = started.as_ref().and_then(id) {
            attend(&mut client, id, &stop).await?;
        }
    }
    Ok(None)
}

/// Looks at a rollout until it has ended.
async fn attend(client: &mut Client, rollout: u64, stop: &CancellationToken) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        time::sleep(LOOK).await;
        let keeper = client.keeper.clone();
        let looking = async move { keeper.rollouts().get(rollout).await };
        let looked = client.run("look", PAIR, json!({ "rollout": rollout }), looking, seen).await?;
        if stop.is_cancelled() || looked.is_some_and(|it| it.rollout.state.is_finished()) {
            break;
        }
    }
    Ok(())
}

fn seen(status: &RolloutStatus) -> Value {
    let rollout = &status.rollout;
    json!({ "state": rollout.state.as_str(), "open": rollout.opened_at_ms.len(), "by": rollout.by })
}

async fn abort_all(client: &mut Client) -> Result<()> {
    let keeper = client.keeper.clone();
    let aborting = async move {
        for rollout in keeper.rollouts().list("", Finished::Without).await? {
            keeper.rollouts().abort(rollout.rollout, "jepsen", "it takes too long").await?;
        }
        Ok(())
    };
    client.run("abort", PAIR, Value::Null, aborting, |()| Value::Null).await.map(drop)
}

/// Ends what is under way, and publishes once more what everybody has to end with.
pub(in crate::workload) async fn finish(client: &mut Client) -> Result<u64> {
    for _ in 0..TRIES_MAX {
        abort_all(client).await?;
        if let Some(revision) = publish_pair(client, "final-publish", LAST).await? {
            return Ok(revision);
        }
    }
    None.context("the healed cluster takes no publish")
}
