//! What processes make of a change, as admins see it: readers, acknowledgements and rollouts, by `keeperctl`.

use keeper_client_sdk::{Config, Instance, Keeper};
use keeper_tests::{InProcess, until};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ctl::{Ctl, words};

const PATH: &str = "push/room.toml";

#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Room {
    #[schemars(range(max = 65_535))]
    max_inflight: u32,
}

/// A process that takes at most `most`, whatever its schema says.
async fn room(keeper: &Keeper, id: &str, ring: &str, most: u32) -> (Instance, Config<Room>) {
    let builder = keeper.instance("room", id).label("ring", ring).version("1.4.2");
    let validate = move |room: &Room| {
        if room.max_inflight <= most { Ok(()) } else { Err(format!("{} is more than {most}", room.max_inflight)) }
    };
    let config = builder.config::<Room>(PATH).validate(validate).await.unwrap();
    (builder.open().await.unwrap(), config)
}

fn text(max_inflight: u32) -> String {
    format!("max_inflight = {max_inflight}\n")
}

fn data(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_waits_for_its_readers_and_names_those_who_lag() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    ctl.json(&["config", "put", PATH, &ctl.file("a.toml", &text(1))]).await;
    let _rooms = (room(&keeper, "r1", "canary", 65_535).await, room(&keeper, "r2", "rest", 100).await);
    until("both have said what they read", async || {
        let consumers = ctl.json(&["config", "consumers", PATH, "--schema"]).await;
        let group = &consumers["groups"][0];
        group["instances"] == 2 && group["schema"]["properties"]["max_inflight"]["maximum"] == 65_535
    })
    .await;
    let waited =
        ctl.run(&["config", "put", PATH, &ctl.file("b.toml", &text(50)), "--wait", "100%", "--timeout", "30s"]).await;
    assert!(waited.status.success(), "{}", words(&waited));
    assert!(words(&waited).contains("2 of 2 run with it"), "{}", words(&waited));
    assert_eq!(ctl.json(&["config", "status", PATH]).await["applied"], 2);

    let unreadable = ctl.run(&["config", "put", PATH, &ctl.file("c.toml", &text(70_000))]).await;
    assert_eq!(unreadable.status.code(), Some(1));
    let said = words(&unreadable);
    assert!(said.contains("2 instances of room 1.4.2 cannot read max_inflight: 70000"), "{said}");

    let lagging =
        ctl.run(&["config", "put", PATH, &ctl.file("d.toml", &text(200)), "--wait", "100%", "--timeout", "30s"]).await;
    assert_eq!(lagging.status.code(), Some(1), "{}", words(&lagging));
    let said = words(&lagging);
    assert!(said.contains("room/r2 (1.4.2) refuses it: ") && said.contains("200 is more than 100"), "{said}");
    assert!(said.contains("it is published all the same"), "{said}");
    until("the other one runs with it", async || {
        let status = ctl.json(&["config", "status", PATH]).await;
        status["applied"] == 1 && status["refused"] == 1 && status["instances"][0]["instance"] == "room/r2"
    })
    .await;
    let status = ctl.run(&["config", "status", PATH, "--wait", "50%"]).await;
    assert!(status.status.success(), "{}", words(&status));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_watched_to_its_end_and_stopped_by_a_refusal() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    ctl.json(&["config", "put", PATH, &ctl.file("a.toml", &text(1))]).await;
    let _rooms = (room(&keeper, "r1", "canary", 100).await, room(&keeper, "r2", "rest", 100).await);
    until("both have said what they read", async || ctl.json(&["config", "status", PATH]).await["applied"] == 2).await;
    let start = |file: &str, max: u32| {
        let file = ctl.file(file, &text(max));
        ["config", "rollout", "start", PATH, file.as_str()].map(str::to_owned).to_vec()
    };
    let run = async |line: Vec<String>, more: &[&str]| {
        let line: Vec<_> = line.iter().map(String::as_str).chain(more.iter().copied()).collect();
        ctl.run(&line).await
    };
    let quick = ["--stage", "label.ring=canary 100% 100ms", "--stage", "100% 100ms"];
    let dry = run(start("b.toml", 50), &[&quick[..], &["--dry-run"]].concat()).await;
    assert!(dry.status.success(), "{}", words(&dry));
    assert!(
        data(&dry).contains("2      100% 100ms") && data(&dry).contains("~ max_inflight: 1 -> 50"),
        "{}",
        data(&dry)
    );
    let through = run(start("b.toml", 50), &[&quick[..], &["--watch"]].concat()).await;
    assert!(through.status.success(), "{}", words(&through));
    assert!(data(&through).contains(" promoted, stage 2 of 2"), "{}", data(&through));
    assert_eq!(data(&ctl.run(&["config", "get", PATH]).await), text(50));

    let stopped = run(start("c.toml", 200), &[&quick[..], &["--watch"]].concat()).await;
    assert_eq!(stopped.status.code(), Some(1), "{}", words(&stopped));
    assert!(words(&stopped).contains("was stopped") && words(&stopped).contains("room/r1"), "{}", words(&stopped));
    assert_eq!(data(&ctl.run(&["config", "get", PATH]).await), text(50));

    let slow = ["--stage", "label.ring=canary 100%", "--stage", "100%"];
    let started = run(start("d.toml", 60), &slow).await;
    assert!(started.status.success(), "{}", words(&started));
    let meanwhile = ctl.run(&["config", "put", PATH, &ctl.file("e.toml", &text(2))]).await;
    assert_eq!(meanwhile.status.code(), Some(1), "{}", words(&meanwhile));
    assert_eq!(ctl.json(&["config", "rollout", "pause", PATH]).await["state"], "paused");
    assert_eq!(ctl.json(&["config", "rollout", "resume", PATH]).await["state"], "running");
    let wrong = ctl.run(&["config", "rollout", "advance", PATH, "--from", "2"]).await;
    assert_eq!(wrong.status.code(), Some(1), "{}", words(&wrong));
    assert_eq!(ctl.json(&["config", "rollout", "advance", PATH, "--from", "1"]).await["stage"], 2);
    let shown = ctl.json(&["config", "rollout", "show", PATH]).await;
    assert_eq!((&shown["stages"][0]["stage"], &shown["instances"]), (&"label.ring=canary 100%".into(), &2.into()));
    let aborted = ctl.json(&["config", "rollout", "abort", PATH, "--reason", "latency"]).await;
    assert_eq!((&aborted["state"], &aborted["reason"]), (&"aborted".into(), &"latency".into()), "{aborted}");
    let list = ctl.json(&["config", "rollout", "list"]).await;
    let states: Vec<_> = list.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["aborted", "stopped", "promoted"]);
    assert_eq!(ctl.json(&["config", "rollout", "list", "--unfinished"]).await.as_array().map(Vec::len), Some(0));
    let last = ctl.json(&["config", "rollout", "show", PATH]).await;
    assert_eq!((&last["state"], &last["instances"]), (&"aborted".into(), &2.into()), "{last}");
    let none = ctl.run(&["config", "rollout", "show", "push/never.toml"]).await;
    assert_eq!(none.status.code(), Some(1), "{}", words(&none));
    assert!(words(&none).contains("keeperctl config rollout list"), "{}", words(&none));
}
