//! What processes say through the SDK about what they read: before it is published, and afterwards.

use std::time::Duration;

use keeper_client_sdk::{
    Applied, Change, Config, Edit, Error, Health, Instance, Keeper, RolloutState, RolloutStatus, Stage, StartRollout,
    StatusOf,
};
use keeper_registry::rollout_place;
use keeper_tests::{InProcess, until, until_some};
use schemars::JsonSchema;
use serde::Deserialize;

const PATH: &str = "push/room.toml";

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
struct Room {
    max: u16,
    #[serde(default)]
    #[schemars(extend("x-keeper-restart" = true))]
    port: u16,
}

/// A process that will not run with an odd number beyond 100.
struct Process {
    keeper: Keeper,
    instance: Instance,
    config: Config<Room>,
}

impl Process {
    async fn start(cluster: &InProcess, id: &str) -> Self {
        let keeper = cluster.keeper().await;
        let instance = keeper.instance("room", id).version("1.4.2").open().await.unwrap();
        let config = instance.config::<Room>(PATH).validate(|room| {
            let is_odd = room.max > 100 && room.max % 2 == 1;
            if is_odd { Err(format!("{} is odd", room.max)) } else { Ok(()) }
        });
        let config = config.await.unwrap();
        Self { keeper, instance, config }
    }

    async fn changed(&mut self) -> Result<Change<Room>, Error> {
        self.config.changed().await
    }
}

fn max(max: u32) -> Edit {
    Edit::put(PATH, format!("max = {max}\n"))
}

async fn fleet(cluster: &InProcess, ids: &[&str]) -> Vec<Process> {
    let mut fleet = Vec::new();
    for id in ids {
        fleet.push(Process::start(cluster, id).await);
    }
    fleet
}

/// Waits for every reader, or for one that refuses.
fn all(revision: u64) -> StatusOf {
    StatusOf::path(PATH).wait(10_000, revision, Duration::from_secs(20))
}

/// Waits until so many have been announced.
async fn read_by(keeper: &Keeper, instances: u32) {
    until("all are announced", async || {
        let groups = keeper.configs().consumers(PATH).await.unwrap().groups;
        groups.iter().map(|it| it.instances).sum::<u32>() == instances
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_running_processes_cannot_read_is_not_published() {
    let cluster = InProcess::start(3).await;
    let admin = cluster.keeper().await;
    admin.configs().publish(max(1)).await.unwrap();
    let _fleet = fleet(&cluster, &["1", "2", "3"]).await;
    read_by(&admin, 3).await;
    let consumers = admin.configs().consumers(PATH).await.unwrap();
    let [group] = &consumers.groups[..] else { panic!("{consumers:?}") };
    assert_eq!((group.service.as_str(), group.version.as_str(), group.instances), ("room", "1.4.2", 3));

    let sentence = "3 instances of room 1.4.2 cannot read max: 70000 is greater than the maximum of 65535";
    let refused = admin.configs().publish(max(70_000)).await.expect_err("no u16");
    assert!(refused.to_string().contains(sentence), "{refused}");
    let tried = admin.configs().dry_run(max(70_000)).await.unwrap();
    assert!(tried.objections.iter().any(|it| it.message.contains("70000") && it.instances == 3), "{tried:?}");
    let linted = admin.configs().lint_and_judge(PATH, None, "max = 70000\n").await.unwrap();
    assert!(linted.objections[0].message.contains("70000"), "{linted:?}");
    let both = Edit::put(PATH, "max = \"x\"\nport = 70000\n");
    let Err(Error::Refused { details, .. }) = admin.configs().publish(both).await else { panic!("refused") };
    assert_eq!(details.len(), 2, "{details:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_publish_hears_that_it_is_applied_or_who_refuses_it() {
    let cluster = InProcess::start(3).await;
    let admin = cluster.keeper().await;
    admin.configs().publish(max(1)).await.unwrap();
    let mut fleet = fleet(&cluster, &["1", "2", "3"]).await;
    read_by(&admin, 3).await;
    let applied = admin.configs().publish(max(2)).await.unwrap().revision;
    let status = admin.configs().status(all(applied)).await.unwrap();
    assert_eq!((status.readers, status.applied, status.applied_bps()), (3, 3, 10_000), "{status:?}");

    let odd = admin.configs().publish(max(101)).await.unwrap().revision;
    let status = admin.configs().status(all(odd)).await.unwrap();
    assert!(status.refused > 0 && status.applied == 0, "{status:?}");
    let row = &status.instances[0];
    assert_eq!((row.applied, row.revision, row.reason.as_str()), (Applied::Refused, odd, "101 is odd"));
    // The waiting ended with the first refusal, which need not be this one's.
    while fleet[0].changed().await.is_ok() {}
    assert_eq!(fleet[0].config.revision(), odd);
    assert_eq!(fleet[0].config.borrow().max, 2);

    let port = admin.configs().publish(Edit::put(PATH, "max = 4\nport = 7\n")).await.unwrap().revision;
    until("all need a restart", async || {
        let status = admin.configs().status(StatusOf::path(PATH)).await.unwrap();
        let is_so = |row: &keeper_client_sdk::InstanceConfig| {
            (row.applied, row.revision, row.reason.as_str()) == (Applied::NeedsRestart, port, "port")
        };
        status.needs_restart == 3 && status.instances.iter().all(is_so)
    })
    .await;
}

/// It was no reader at all: invisible, not waited for, and nobody asked it.
#[tokio::test(flavor = "multi_thread")]
async fn who_starts_on_a_document_that_it_cannot_read_is_seen_to_refuse_it() {
    let cluster = InProcess::start(1).await;
    let admin = cluster.keeper().await;
    let unreadable = admin.configs().publish(Edit::put(PATH, "max_inflight = 1\n")).await.unwrap().revision;
    let keeper = cluster.keeper().await;
    let instance = keeper.instance("room", "1").version("1.4.2").open().await.unwrap();
    let validated = || {
        instance.config::<Room>(PATH).validate(|room| if room.max == 3 { Err("3 is odd".to_owned()) } else { Ok(()) })
    };
    validated().await.expect_err("`max` is missing");
    read_by(&admin, 1).await;
    let status = admin.configs().status(all(unreadable)).await.unwrap();
    assert_eq!((status.readers, status.refused), (1, 1), "{status:?}");
    assert!(status.instances[0].reason.contains("missing field `max`"), "{status:?}");
    let refused = admin.configs().publish(Edit::put(PATH, "max_inflight = 2\n")).await.expect_err("it is asked");
    assert!(refused.to_string().contains("1 instance of room 1.4.2 cannot read"), "{refused}");

    // What is published next is judged although the process does not ask; that it fits, it does not say.
    let odd = admin.configs().publish(max(3)).await.unwrap().revision;
    let status = admin.configs().status(all(odd)).await.unwrap();
    assert_eq!((status.refused, status.instances[0].reason.as_str()), (1, "3 is odd"), "{status:?}");
    let sound = admin.configs().publish(max(4)).await.unwrap().revision;
    assert_eq!(admin.configs().status(StatusOf::path(PATH)).await.unwrap().applied, 0);
    let config = validated().await.unwrap();
    let status = admin.configs().status(all(sound)).await.unwrap();
    assert_eq!((status.readers, status.applied, config.borrow().max), (1, 1, 4), "{status:?}");
    drop(config);
    read_by(&admin, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_leader_is_told_what_the_one_before_knew() {
    let mut cluster = InProcess::start(3).await;
    let admin = cluster.keeper().await;
    let revision = admin.configs().publish(max(1)).await.unwrap().revision;
    let fleet = fleet(&cluster, &["1", "2", "3"]).await;
    read_by(&admin, 3).await;
    assert_eq!(admin.configs().status(all(revision)).await.unwrap().applied, 3);
    let leader = cluster.leader().await;
    cluster.crash(leader);
    let status = admin.configs().status(all(revision)).await.unwrap();
    assert_eq!((status.readers, status.applied), (3, 3), "{status:?}");
    assert!(fleet.iter().all(|process| process.instance.is_held()));
}

/// Instances that are in at a share, and were not at the one before.
fn names(from_bps: u32, to_bps: u32, count: usize) -> Vec<String> {
    let places = from_bps..to_bps;
    (0..).map(|n: u32| n.to_string()).filter(|id| places.contains(&rollout_place("room", id))).take(count).collect()
}

async fn ended(admin: &Keeper, rollout: u64) -> RolloutStatus {
    until_some("the rollout comes to its end", async || {
        let status = admin.rollouts().get(rollout).await.unwrap();
        status.rollout.state.is_finished().then_some(status)
    })
    .await
}

fn in_two_stages(edit: Edit) -> StartRollout {
    StartRollout::of(edit)
        .stage(Stage::share_bps(500).hold(Duration::ZERO))
        .stage(Stage::everybody().hold(Duration::ZERO))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_ends_with_the_first_refusal_or_publishes_when_all_have_applied() {
    let cluster = InProcess::start(3).await;
    let admin = cluster.keeper().await;
    admin.configs().publish(max(1)).await.unwrap();
    let ids = [names(0, 500, 1), names(500, 10_000, 1)].concat();
    let mut fleet = fleet(&cluster, &[&ids[0], &ids[1]]).await;
    read_by(&admin, 2).await;

    let started = admin.rollouts().start(in_two_stages(max(101))).await.unwrap();
    assert_eq!(started.stage_instances, [1, 2]);
    let rollout = started.rollout.expect("it is started").rollout;
    let status = ended(&admin, rollout).await;
    assert_eq!((status.rollout.state, status.rollout.stage()), (RolloutState::Stopped, 0), "{status:?}");
    assert!(status.rollout.reason.contains("101 is odd"), "{}", status.rollout.reason);
    assert_eq!((fleet[0].config.borrow().max, fleet[1].config.borrow().max), (1, 1));

    let started = admin.rollouts().start(in_two_stages(max(200))).await.unwrap();
    let rollout = started.rollout.expect("it is started").rollout;
    let status = ended(&admin, rollout).await;
    assert_eq!(status.rollout.state, RolloutState::Promoted, "{status:?}");
    until("both run with it", async || fleet.iter().all(|it| it.config.borrow().max == 200)).await;
    assert!(fleet[1].changed().await.unwrap().value.max == 200, "once, whatever came before");
    let published = admin.configs().get(PATH).await.unwrap().expect("published");
    assert_eq!((published.text.as_str(), published.revision), ("max = 200\n", status.rollout.changed_revision));
    let status = admin.configs().status(all(0)).await.unwrap();
    assert_eq!((status.readers, status.applied), (2, 2), "who has it has it: {status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_ends_when_a_process_says_that_it_is_unwell() {
    let cluster = InProcess::start(3).await;
    let admin = cluster.keeper().await;
    admin.configs().publish(max(1)).await.unwrap();
    let ids = [names(0, 500, 1), names(500, 10_000, 1)].concat();
    let mut fleet = fleet(&cluster, &[&ids[0], &ids[1]]).await;
    read_by(&admin, 2).await;
    let watched = StartRollout::of(max(2)).stage(Stage::share_bps(500)).stage(Stage::everybody());
    let rollout = admin.rollouts().start(watched).await.unwrap().rollout.expect("it is started").rollout;
    let change = fleet[0].changed().await.unwrap();
    assert_eq!((change.value.max, change.rollout, fleet[0].config.rollout()), (2, Some(rollout), Some(rollout)));
    fleet[0].keeper.report_health(Health::Unwell("queues grow".into()));
    let status = ended(&admin, rollout).await;
    assert_eq!(status.rollout.state, RolloutState::Stopped);
    assert!(status.rollout.reason.contains("queues grow"), "{}", status.rollout.reason);
    let change = fleet[0].changed().await.unwrap();
    assert_eq!((change.value.max, change.rollout), (1, None), "back to what is published");
}
