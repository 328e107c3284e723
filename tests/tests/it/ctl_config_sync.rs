//! `keeperctl config sync` as it runs beside a process that cannot ask by itself.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use keeper_client_sdk::{Edit, Publish};
use keeper_tests::{InProcess, until};

use crate::ctl::{Ctl, words};

/// An agent, ended with its test.
struct Agent(Child);

impl Agent {
    fn start(ctl: &Ctl, arguments: &[&str]) -> Self {
        let mut command = ctl.command(&[&["config", "sync"], arguments].concat());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn holds(file: &Path, what: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_follow_their_documents_across_the_death_of_nodes() {
    let mut cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let both = |n: u32| {
        Publish::of(Edit::put("push/room.toml", format!("# gone\nn = {n}\nports = [1]\n")))
            .and(Edit::put("gate.yaml", format!("n: {n}\n")))
    };
    let zone = Edit::put("push/room.toml@zone=eu-1", "ports = [2]\n");
    keeper.configs().publish(both(1).and(zone)).await.unwrap();
    fs::write(at("room.toml"), "n = 0\n").unwrap();
    fs::set_permissions(at("room.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    let room = format!("push/room.toml={}", at("room.toml").display());
    let gate = format!("gate.yaml={}", at("gate.json").display());
    let told = at("told");
    let on_change = format!("echo $KEEPER_REVISION $(echo \"$KEEPER_FILES\" | wc -l) >> {}", told.display());
    let _agent = Agent::start(&ctl, &[&room, &gate, "--as", "room", "--zone", "eu-1", "--on-change", &on_change]);
    until("the files are written and the command has run", async || lines(&told).len() == 1).await;
    assert!(holds(&at("room.toml"), "n = 1") && holds(&at("room.toml"), "ports = [2]"));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&fs::read(at("gate.json")).unwrap()).unwrap()["n"], 1);
    let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("room.toml"), mode("gate.json")), (0o644, 0o600));

    let second = keeper.configs().publish(both(2)).await.unwrap();
    until("both have changed", async || lines(&told).len() == 2).await;
    assert_eq!(lines(&told)[1], format!("{} 2", second.revision), "once for both");
    // What the reader does not see change is no change.
    keeper.configs().publish(Edit::put("push/room.toml@zone=us-1", "ports = [9]\n")).await.unwrap();
    let leader = cluster.leader().await;
    cluster.crash(leader);
    let third = keeper.configs().publish(both(3)).await.unwrap();
    until("both have changed once more", async || lines(&told).len() == 3).await;
    assert_eq!(lines(&told)[2], format!("{} 2", third.revision));
    assert!(holds(&at("room.toml"), "n = 3"));
    assert!(!at(".room.toml.keeper-pending").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_runs_again_and_after_a_death_too() {
    let cluster = InProcess::start(1).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    keeper.configs().publish(Edit::put("a.toml", "n = 1\n")).await.unwrap();
    let pair = format!("a.toml={}", at("a.toml").display());
    let on_change = format!("echo tried >> {0}/tried && test -e {0}/ready", folder.path().display());
    let agent = Agent::start(&ctl, &[&pair, "--on-change", &on_change]);
    until("the command was tried twice", async || lines(&at("tried")).len() >= 2).await;
    drop(agent);
    assert!(holds(&at("a.toml"), "n = 1"), "the file is there");
    fs::write(at("ready"), "").unwrap();
    let tried = lines(&at("tried")).len();
    // The file is as it should be, and the command was not told of it.
    let once = ctl.run(&["config", "sync", &pair, "--on-change", &on_change, "--once"]).await;
    assert!(once.status.success(), "{}", words(&once));
    assert_eq!(lines(&at("tried")).len(), tried + 1);
    let again = ctl.run(&["config", "sync", &pair, "--on-change", &on_change, "--once"]).await;
    assert!(again.status.success(), "{}", words(&again));
    assert_eq!(lines(&at("tried")).len(), tried + 1, "nothing has changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_cannot_hold_leaves_it_as_it_is() {
    let cluster = InProcess::start(1).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    fs::write(&file, "old = true\n").unwrap();
    keeper.configs().publish(Edit::put("a.json", "{\"a\": null}")).await.unwrap();
    let refused = ctl.run(&["config", "sync", &format!("a.json={}", file.display()), "--once"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
    assert!(words(&refused).contains("a.json cannot be written as toml"), "{}", words(&refused));
    let missing = ctl.run(&["config", "sync", &format!("b.toml={}", file.display()), "--once"]).await;
    assert_eq!(missing.status.code(), Some(1), "{}", words(&missing));
    assert!(words(&missing).contains("there is nothing of b.toml: its file stays as it is"), "{}", words(&missing));
    assert_eq!(fs::read_to_string(&file).unwrap(), "old = true\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_that_cannot_be_written_holds_back_no_other() {
    let cluster = InProcess::start(1).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    fs::write(at("real.toml"), "old = true\n").unwrap();
    std::os::unix::fs::symlink("real.toml", at("b.toml")).unwrap();
    keeper.configs().publish(Edit::put("a.json", "{\"a\": null}")).await.unwrap();
    keeper.configs().publish(Edit::put("b.json", "{\"b\": 1}")).await.unwrap();
    let [a, b] = ["a", "b"].map(|name| format!("{name}.json={}", at(&format!("{name}.toml")).display()));
    let on_change = format!("echo \"$KEEPER_FILES\" > {}", at("told").display());
    let agent = Agent::start(&ctl, &[&a, &b, "--on-change", &on_change]);
    until("the other one is written and told", async || lines(&at("told")).len() == 1).await;
    assert!(lines(&at("told"))[0].ends_with("/b.toml"));
    assert!(holds(&at("real.toml"), "b = 1") && fs::symlink_metadata(at("b.toml")).unwrap().is_symlink());
    keeper.configs().publish(Edit::put("a.json", "{\"a\": 2}")).await.unwrap();
    until("it is written once it can be", async || holds(&at("a.toml"), "a = 2")).await;
    drop(agent);

    keeper.configs().publish(Edit::put("b.json", "{\"b\": 2}")).await.unwrap();
    let late = ctl.run(&["--timeout", "1s", "config", "sync", &b, "--on-change", "sleep 1000", "--once"]).await;
    assert_eq!(late.status.code(), Some(2), "{}", words(&late));
    assert!(words(&late).contains("it was not done within 1s"), "{}", words(&late));
    let once = ctl.run(&["config", "sync", &b, "--on-change", &on_change, "--once"]).await;
    assert!(once.status.success(), "{}", words(&once));
    assert!(!at(".real.toml.keeper-pending").exists() && holds(&at("real.toml"), "b = 2"));
    let device = ctl.run(&["config", "sync", "b.json=/dev/null", "--format", "json", "--once"]).await;
    assert_eq!(device.status.code(), Some(2), "{}", words(&device));
}
