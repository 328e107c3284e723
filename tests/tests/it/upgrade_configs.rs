//! What came with documents that have layers, consumers and rollouts: not below its level, and all of it from there on.

use std::time::Duration;

use keeper_client_sdk::{Edit, Error, Keeper, Publish, Stage, StartRollout};
use keeper_tests::{InProcess, until};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ctl::{Ctl, words};

const PATH: &str = "push/room.json";

#[derive(Debug, Deserialize, JsonSchema)]
struct Room {
    max: u16,
}

fn max(max: u32) -> Edit {
    Edit::put(PATH, format!(r#"{{"max":{max}}}"#))
}

fn everybody(edit: Edit) -> StartRollout {
    StartRollout::of(edit).stage(Stage::everybody().hold(Duration::ZERO))
}

/// Refused by the level, in words that say what to do; nothing has changed.
fn is_too_low(refused: &Error) {
    let expected = "this comes with feature level 3, and the cluster is at 2: once every node runs keeper 0.3.0 or \
                    newer, `keeperctl cluster upgrade` raises it";
    assert_eq!(
        (refused.reason(), refused.is_retryable(), refused.may_have_happened()),
        ("level-too-low", false, false)
    );
    assert!(refused.to_string().contains(expected), "{refused}");
}

async fn refuses_what_came_later(cluster: &InProcess, keeper: &Keeper) {
    let configs = keeper.configs();
    let publishes = [
        Publish::of(Edit::put("push/room.json@zone=eu-1", r#"{"max":2}"#)),
        Publish::of(max(2)).and(Edit::put("push/room.json@label.ring=canary", "{}")),
        Publish::of(max(2).secret("max")),
        Publish::of(max(2)).forced("it has to be"),
    ];
    for publish in publishes {
        is_too_low(&configs.publish(publish).await.unwrap_err());
    }
    is_too_low(&keeper.rollouts().start(everybody(max(2))).await.unwrap_err());
    is_too_low(&keeper.rollouts().abort(1, "ann", "").await.unwrap_err());
    is_too_low(&keeper.rollouts().promote(1, "ann", None).await.unwrap_err());
    let ctl = Ctl::of(cluster);
    let file = ctl.file("room.json", r#"{"max":2}"#);
    let refused = ctl.run(&["config", "rollout", "start", PATH, &file, "--stage", "5%"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert!(words(&refused).contains("`keeperctl cluster upgrade` raises it"), "{}", words(&refused));
}

async fn raised(cluster: &mut InProcess) {
    for at in 0..3 {
        cluster.stop(at).await;
        cluster.change(at, |settings| settings.upgrade.level_max = None);
        cluster.restart(at).await;
        cluster.leader().await;
    }
    let raised = Ctl::of(cluster).run(&["cluster", "upgrade"]).await;
    let table = String::from_utf8_lossy(&raised.stdout).into_owned();
    assert!(raised.status.success() && table.ends_with("2     3   0.3.0\n"), "{table}{}", words(&raised));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_with_the_third_level_is_refused_below_it_and_works_once_it_is_raised() {
    let mut cluster = InProcess::start_with(3, |settings| settings.upgrade.level_max = Some(2)).await;
    let keeper = cluster.keeper().await;
    keeper.configs().publish(max(1)).await.unwrap();
    // A program that was built with the new library runs before the cluster is raised.
    let instance = keeper.instance("room", "room-1").version("7").open().await.unwrap();
    let mut config = instance.config::<Room>(PATH).await.unwrap();
    assert_eq!(config.borrow().max, 1);
    refuses_what_came_later(&cluster, &keeper).await;
    assert_eq!(config.borrow().max, 1, "nothing was published");
    // Nobody judges there: it is published as ever, and the process goes on with what it can read.
    keeper.configs().publish(max(70_000)).await.unwrap();
    assert_eq!(config.changed().await.unwrap_err().reason(), "misfit");
    keeper.configs().publish(max(3)).await.unwrap();
    assert_eq!(config.changed().await.unwrap().value.max, 3);

    raised(&mut cluster).await;
    until("the process that was there has said what it reads", async || {
        !keeper.configs().dry_run(max(70_000)).await.unwrap().objections.is_empty()
    })
    .await;
    let refused = keeper.configs().publish(max(70_000)).await.unwrap_err().to_string();
    assert!(refused.contains("push/room.json: 1 instance of room 7 cannot read max: 70000"), "{refused}");
    let layer = Edit::put("push/room.json@service=room", r#"{"max":4}"#);
    keeper.configs().publish(layer).await.unwrap();
    assert_eq!(config.changed().await.unwrap().value.max, 4);
    let rollout = everybody(Edit::put("push/room.json@service=room", r#"{"max":5}"#));
    keeper.rollouts().start(rollout).await.unwrap();
    assert_eq!(config.changed().await.unwrap().value.max, 5);
    cluster.converge().await;
}
