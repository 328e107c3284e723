//! `keeperctl` as its users run it: a process against a real cluster.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use keeper_client_sdk::{Registration, SessionKey};
use keeper_tests::{InProcess, binary};
use serde_json::Value;

pub(crate) struct Ctl {
    endpoints: String,
    folder: tempfile::TempDir,
}

impl Ctl {
    pub(crate) fn of(cluster: &InProcess) -> Self {
        Self::at((0..cluster.size()).map(|at| cluster.endpoint(at)))
    }

    pub(crate) fn at(endpoints: impl Iterator<Item = String>) -> Self {
        let endpoints: Vec<_> = endpoints.collect();
        Self { endpoints: endpoints.join(","), folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("keeperctl"));
        command.args(["--endpoints", &self.endpoints]).args(arguments).stdin(Stdio::null());
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().expect("keeperctl runs")).await.expect("it ends")
    }

    /// What it says in JSON, when it does what it was asked.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--output", "json"], arguments].concat()).await;
        assert!(output.status.success(), "{arguments:?}: {}", words(&output));
        serde_json::from_slice(&output.stdout).expect("one JSON value")
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file is written");
        path.display().to_string()
    }
}

pub(crate) fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_instances_are_shown_counted_and_kicked() {
    let cluster = InProcess::start(3).await;
    let ctl = Ctl::of(&cluster);
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "r1").endpoint("ws://r1").open().await.unwrap();
    for user in ["ada", "bob"] {
        let registration = Registration::new(SessionKey::of_user(user).unwrap()).topic("chat");
        room.sessions().register(registration).await.unwrap();
    }
    let found = ctl.json(&["session", "get", "ada"]).await;
    assert_eq!(found["sessions"][0]["instance"], "room/r1", "{found}");
    assert_eq!(ctl.json(&["session", "count"]).await["total"], 2);
    assert_eq!(ctl.json(&["session", "list"]).await.as_array().map(Vec::len), Some(2));
    assert_eq!(ctl.json(&["instance", "list"]).await[0]["instance"], "room/r1");
    let kicked = ctl.run(&["session", "kick", "ada"]).await;
    assert!(kicked.status.success(), "{}", words(&kicked));
    let gone = ctl.run(&["session", "get", "ada"]).await;
    assert_eq!(gone.status.code(), Some(1), "{}", words(&gone));
    assert_eq!(ctl.json(&["cluster", "status"]).await["nodes"].as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_is_put_edited_compared_watched_and_refused() {
    let cluster = InProcess::start(3).await;
    let ctl = Ctl::of(&cluster);
    let first = ctl.file("a.toml", "# why\nx = 1\n");
    ctl.json(&["config", "put", "app/a.toml", &first]).await;
    let shown = ctl.run(&["config", "get", "app/a.toml"]).await;
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "# why\nx = 1\n");

    let mut watching = ctl.command(&["--output", "json", "config", "watch", "app/"]);
    let mut watching = watching.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("keeperctl runs");
    let mut begun = BufReader::new(watching.stderr.take().expect("its words")).lines();
    tokio::task::block_in_place(|| begun.next()).expect("it says that it watches").unwrap();

    let editor = ctl.file("editor.sh", "#!/bin/sh\nsed -i 's/x = 1/x = 2/' \"$1\"\n");
    let mut edit = ctl.command(&["config", "edit", "app/a.toml"]);
    edit.env("VISUAL", format!("sh {editor}")).env_remove("EDITOR");
    let edited = tokio::task::block_in_place(|| edit.output()).unwrap();
    assert!(edited.status.success(), "{}", words(&edited));
    let mut told = BufReader::new(watching.stdout.take().expect("its data")).lines();
    let change = tokio::task::block_in_place(|| told.next()).expect("the edit is told").unwrap();
    watching.kill().unwrap();
    watching.wait().unwrap();
    let change: Value = serde_json::from_str(&change).unwrap();
    assert_eq!((&change["path"], &change["fields"][0]["new"]), (&"app/a.toml".into(), &2.into()), "{change}");

    let history = ctl.json(&["config", "history", "app/a.toml"]).await;
    assert_eq!(history["documents"].as_array().map(Vec::len), Some(2), "{history}");
    let broken = ctl.file("broken.toml", "x = = 3\n");
    let refused = ctl.run(&["config", "put", "app/a.toml", &broken]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused).contains("line 1, column 5"), "{}", words(&refused));
    let stale = ctl.file("b.toml", "x = 9\n");
    let refused = ctl.run(&["config", "put", "app/a.toml", &stale, "--expect", "1"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert_eq!(ctl.run(&["config", "no-such-verb"]).await.status.code(), Some(2));
}

/// At night, with two of three nodes gone, somebody wants to know where a user was and what a process should run.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_knows_is_shown_without_a_majority() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let (ctl, room) = (Ctl::of(&cluster), keeper.instance("room", "r1").open().await.unwrap());
    room.sessions().register(Registration::new(SessionKey::of_user("ada").unwrap())).await.unwrap();
    let text = ctl.file("a.toml", "x = 1\n");
    ctl.json(&["config", "put", "app/a.toml", &text]).await;
    let leader = cluster.leader().await;
    for gone in (0..3).filter(|at| *at != leader) {
        cluster.crash(gone);
    }
    for arguments in [["session", "get", "ada"], ["config", "get", "app/a.toml"]] {
        let asked = ctl.run(&[&arguments[..], &["--timeout", "2s"]].concat()).await;
        assert_eq!(asked.status.code(), Some(2), "{}", words(&asked));
        assert!(words(&asked).contains("`--local` shows without a majority"), "{}", words(&asked));
    }
    let found = ctl.json(&["session", "get", "ada", "--local"]).await;
    assert_eq!(found["sessions"][0]["instance"], "room/r1", "{found}");
    assert!(found["age_ms"].as_u64().is_some_and(|age| age > 0), "{found}");
    let held = ctl.json(&["config", "get", "app/a.toml", "--local"]).await;
    assert_eq!(held["value"]["x"], 1, "{held}");
    assert!(held["age_ms"].as_u64().is_some_and(|age| age > 0), "{held}");
    let said = words(&ctl.run(&["config", "get", "app/a.toml", "--local"]).await);
    assert!(said.starts_with("as one node knows it: revision ") && said.contains(" ago"), "{said}");
    assert_eq!(ctl.run(&["config", "get", "app/none", "--local"]).await.status.code(), Some(1));
}

/// What the environment says was told as what the command must have, and what it takes was left out.
#[test]
fn the_usage_of_a_command_is_the_same_wherever_its_nodes_are_named() {
    let usage = |line: &[&str]| {
        let mut command = Command::new(binary("keeperctl"));
        let output = command.env("KEEPER_ENDPOINTS", "127.0.0.1:1").args(line).output().expect("keeperctl runs");
        assert_eq!(output.status.code(), Some(2), "{}", words(&output));
        words(&output)
    };
    for (line, expected) in [
        (&["config", "get"][..], "Usage: keeperctl config get <PATH>\n"),
        (&["cluster", "status", "more"], "Usage: keeperctl cluster status [OPTIONS]\n"),
        (&["--endpoints", "cluster", "status"], "tip: `--endpoints` lacks its value: `cluster` was taken for it\n"),
    ] {
        let usage = usage(line);
        assert!(usage.contains(expected), "{usage}");
    }
}
