//! `keeperctl session` and `keeperctl control` as their users run them: processes against a real cluster.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

use keeper_client_sdk::{Answer, Instance, Registration, ScanSessions, SessionKey};
use keeper_tests::{InProcess, until_some};
use serde_json::Value;

use crate::ctl::{Ctl, words};

async fn register(room: &Instance, user: &str, topic: &'static str) {
    let registration = Registration::new(SessionKey::of_user(user.to_owned()).unwrap()).topic(topic);
    room.sessions().register(registration).await.unwrap();
}

/// A command that runs until it is told to stop.
struct Running {
    child: Child,
    data: Lines<BufReader<ChildStdout>>,
    words: Lines<BufReader<ChildStderr>>,
}

impl Running {
    fn start(ctl: &Ctl, arguments: &[&str]) -> Self {
        let mut command = ctl.command(&[&["--output", "json"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("keeperctl runs");
        let data = BufReader::new(child.stdout.take().expect("its data")).lines();
        let words = BufReader::new(child.stderr.take().expect("its words")).lines();
        Self { child, data, words }
    }

    fn next(&mut self) -> Value {
        let line = tokio::task::block_in_place(|| self.data.next()).expect("a line").unwrap();
        serde_json::from_str(&line).expect(&line)
    }

    fn word(&mut self) -> String {
        tokio::task::block_in_place(|| self.words.next()).expect("a word").unwrap()
    }

    /// As Ctrl-C does it: the exit code, the data that was left, and the words.
    fn interrupt(mut self) -> (Option<i32>, Vec<Value>, String) {
        tokio::task::block_in_place(|| {
            let id = self.child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
            let code = self.child.wait().expect("it ends").code();
            let line = |line: std::io::Result<String>| serde_json::from_str(&line.unwrap()).expect("JSON");
            let words: Vec<String> = self.words.map(Result::unwrap).collect();
            (code, self.data.map(line).collect(), words.join("\n"))
        })
    }
}

/// The command that words between backquotes say to type, without the program's name.
fn to_type(words: &str, which: &str) -> Vec<String> {
    let mut quoted = words.split('`').skip(1).step_by(2);
    let line = quoted.find(|line| line.contains(which)).unwrap_or_else(|| panic!("no `{which}` in: {words}"));
    line.split(' ').skip(1).map(str::to_owned).collect()
}

fn users(lines: &[Value]) -> BTreeSet<String> {
    let users: BTreeSet<_> = lines.iter().map(|it| it["user"].as_str().expect("a user").to_owned()).collect();
    assert_eq!(users.len(), lines.len(), "nobody is printed twice");
    users
}

async fn lines(ctl: &Ctl, arguments: &[&str]) -> (Vec<Value>, String) {
    let output = ctl.run(&[&["--output", "json"], arguments].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", words(&output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).expect(line)).collect(), words(&output))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_stopped_goes_on_and_its_tail_tells_the_rest() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let room = keeper.instance("room", "r1").open().await.unwrap();
    let all: BTreeSet<String> = (0..120).map(|it| format!("user-{it}")).collect();
    for user in &all {
        register(&room, user, "chat").await;
    }
    let mut scan = Running::start(&ctl, &["session", "scan", "--parts", "2", "--rate", "40"]);
    let mut told = vec![scan.next()];
    let (code, more, said) = scan.interrupt();
    told.extend(more);
    assert_eq!(code, Some(2), "{said}");
    assert!(told.len() < all.len(), "it was stopped at {}", told.len());
    register(&room, "late", "chat").await;

    let resume = to_type(&said, "--resume");
    let resume: Vec<&str> = resume.iter().map(String::as_str).filter(|it| !["--rate", "40"].contains(it)).collect();
    let (rest, said) = lines(&ctl, &resume).await;
    told.extend(rest);
    let tail = to_type(&said, "--since");
    let (tail, _) = lines(&ctl, &tail.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // A part that had not begun when the scan was stopped begins with what is there when it goes on.
    let in_walk = told.iter().any(|it| it["user"] == "late");
    assert_eq!(tail.len(), usize::from(!in_walk), "{tail:?}");
    told.extend(tail);
    let mut everybody = all;
    everybody.insert("late".to_owned());
    assert_eq!(users(&told), everybody);

    let counted = ctl.json(&["session", "scan", "--count", "--parts", "3", "--topic", "chat"]).await;
    assert_eq!((&counted["sessions"], counted["parts"].as_array().map(Vec::len)), (&121.into(), Some(3)), "{counted}");
    let part = async |part| ctl.json(&["session", "list", "--all", "--part", part]).await.as_array().unwrap().clone();
    let halves = [part("1/2").await, part("2/2").await].concat();
    assert_eq!(users(&halves).len(), 121);
    let top = ctl.json(&["session", "top"]).await;
    assert_eq!((&top["topics"][0]["topic"], &top["instances"][0]["sessions"]), (&"chat".into(), &121.into()), "{top}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_says_why_it_cannot_begin_and_that_nothing_is_left() {
    let cluster = InProcess::start_with(1, |settings| settings.limits.scans_max = 1).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let room = keeper.instance("room", "r1").open().await.unwrap();
    for user in ["ada", "bob", "cid"] {
        register(&room, user, "chat").await;
    }
    let mut slow = keeper.sessions().scan(ScanSessions { rate: 1, ..ScanSessions::default() });
    slow.next().await.expect("a session").unwrap();
    for scan in [&["session", "scan", "--count"][..], &["session", "scan"]] {
        let refused = ctl.run(&[scan, &["--timeout", "200ms"]].concat()).await;
        assert_eq!(refused.status.code(), Some(2), "{}", words(&refused));
        assert!(words(&refused).contains("the lane of scans has reached its limit of 1"), "{}", words(&refused));
    }
    drop(slow);
    let done = ctl.run(&["session", "scan", "--resume", "done@7,done@9"]).await;
    assert!(done.status.success() && done.stdout.is_empty(), "{}", words(&done));
    assert!(words(&done).starts_with("nothing is left to walk"), "{}", words(&done));
    assert!(words(&done).contains("--since 7,9"), "{}", words(&done));
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_watched_resumed_and_explained() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let mut watch = Running::start(&ctl, &["session", "watch", "--topic", "chat"]);
    assert!(watch.word().starts_with("watching; revision "));
    let old = keeper.instance("room", "r1").open().await.unwrap();
    let new = keeper.instance("room", "r2").open().await.unwrap();
    register(&old, "ada", "chat").await;
    register(&old, "bob", "news").await;
    register(&new, "ada", "chat").await;
    let (online, moved) = (watch.next(), watch.next());
    assert_eq!((&online["event"], &online["instance"]), (&"online".into(), &"room/r1".into()), "{online}");
    assert_eq!((&moved["event"], &moved["from"]["instance"]), (&"moved".into(), &"room/r1".into()), "{moved}");
    let (code, left, said) = watch.interrupt();
    assert_eq!((code, left.len()), (Some(0), 0), "{said}");

    ctl.json(&["session", "kick", "ada", "--reason", "spam", "--author", "eve"]).await;
    let mut resume = to_type(&said, "--token");
    resume.extend(["--limit".to_owned(), "1".to_owned()]);
    let (missed, _) = lines(&ctl, &resume.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let told = ["event", "reason", "message", "author"].map(|field| missed[0][field].as_str().unwrap_or_default());
    assert_eq!(told, ["offline", "kicked", "spam", "eve"]);

    let explained = until_some("every node has it", async || {
        let explained = ctl.json(&["session", "explain", "ada"]).await;
        (explained["facts"].as_array().map(Vec::len) == Some(3)).then_some(explained)
    })
    .await;
    let of = |field| explained["facts"].as_array().unwrap().iter().map(|it| it[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("event"), ["online", "moved", "offline"]);
    assert_eq!(of("about"), ["session"; 3]);
    assert_eq!(ctl.run(&["session", "explain", "nobody"]).await.status.code(), Some(1));
}

/// The facts come in one message; the token is that of the last one printed.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_with_a_limit_goes_on_behind_the_last_fact() {
    let cluster = InProcess::start(1).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let mut watch = Running::start(&ctl, &["session", "watch", "--topic", "chat"]);
    assert!(watch.word().starts_with("watching; revision "));
    let (_, _, said) = watch.interrupt();
    let mut resume = to_type(&said, "--token");
    let room = keeper.instance("room", "r1").open().await.unwrap();
    let names = ["ada", "bob", "eve"];
    futures_util::future::join_all(names.map(|user| register(&room, user, "chat"))).await;
    let mut seen = Vec::new();
    for limit in ["2", "1"] {
        resume.extend(["--limit".to_owned(), limit.to_owned()]);
        let (facts, said) = lines(&ctl, &resume.iter().map(String::as_str).collect::<Vec<_>>()).await;
        seen.extend(facts.iter().map(|fact| fact["user"].as_str().unwrap_or_default().to_owned()));
        assert!(facts.iter().all(|fact| fact["token"].is_string()), "{facts:?}");
        resume = to_type(&said, "--token");
    }
    seen.sort();
    assert_eq!(seen, names);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kick_is_counted_first_and_waits_for_its_gateways() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let room = keeper.instance("room", "r1").open().await.unwrap();
    for user in ["ada", "bob", "cid"] {
        register(&room, user, if user == "cid" { "news" } else { "chat" }).await;
    }
    for whom in [&["--topic", "chat"][..], &["--topic", "chat", "--instance", "room/r1"]] {
        let would = ctl.json(&[&["session", "kick", "--dry-run"], whom].concat()).await;
        assert_eq!(
            (&would["would_close"], &would["instances"][0]["instance"]),
            (&2.into(), &"room/r1".into()),
            "{would}"
        );
    }
    assert_eq!(ctl.json(&["session", "count"]).await["total"], 3, "a dry run closes nothing");

    let mut kick = Running::start(&ctl, &["session", "kick", "--topic", "chat", "--reason", "over", "--wait"]);
    assert!(kick.word().starts_with("waiting until the gateways of kick "));
    let kicks = until_some("the kick is done", async || {
        let kicks = ctl.json(&["session", "kicks"]).await;
        (!kicks[0]["finished_at"].is_null()).then_some(kicks)
    })
    .await;
    assert_eq!((&kicks[0]["closed"], &kicks[0]["whom"]), (&2.into(), &"--topic chat".into()), "{kicks}");
    assert_eq!(kicks[0]["gateways"][0]["confirmation"], "waiting", "{kicks}");
    assert_eq!(ctl.json(&["session", "count"]).await["total"], 1);
    let one = ctl.json(&["session", "kick", "cid", "--slot", ""]).await;
    let status = ctl.json(&["session", "kick-status", &one["kick"].to_string()]).await;
    assert_eq!(status["whom"], "cid --slot ''", "{status}");
    room.close().await.unwrap();
    let status = kick.next();
    assert_eq!(status["gateways"][0]["confirmation"], "gone", "{status}");
    let number = status["kick"].to_string();
    assert_eq!(ctl.json(&["session", "kick-status", &number]).await, status);
    assert_eq!(ctl.run(&["session", "kick-status", "1"]).await.status.code(), Some(1));
    let nobody = ctl.run(&["session", "kick", "--instance", "room/r"]).await;
    assert_eq!(nobody.status.code(), Some(1), "{}", words(&nobody));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_published_and_a_registry_is_whole() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let status = ctl.json(&["session", "rebuild-status"]).await;
    assert_eq!(status["whole"], true, "{status}");
    let policy = ctl.file("sessions.toml", "grace_ms = 600000\n[topics.chat]\nsessions_max = 1\n");
    ctl.json(&["config", "put", "keeper/sessions", &policy, "--format", "toml"]).await;
    let wrong = ctl.file("wrong.toml", "grace = 5\n");
    let refused = ctl.run(&["config", "put", "keeper/sessions", &wrong, "--format", "toml"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(words(&refused).contains("did you mean `grace_ms`?"), "{}", words(&refused));

    let room = keeper.instance("room", "r1").open().await.unwrap();
    register(&room, "ada", "chat").await;
    room.close().await.unwrap();
    let gone = ctl.run(&["-o", "json", "session", "get", "ada"]).await;
    assert_eq!(gone.status.code(), Some(1), "who lingers is not connected");
    let found: Value = serde_json::from_slice(&gone.stdout).unwrap();
    assert_eq!(
        (&found["sessions"], &found["formerly"][0]["state"]),
        (&Value::Array(vec![]), &"lingering".into()),
        "{found}"
    );
    assert!(words(&gone).contains("it is lingering until "), "{}", words(&gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_is_sent_answered_and_shown() {
    let cluster = InProcess::start(3).await;
    let (ctl, keeper) = (Ctl::of(&cluster), cluster.keeper().await);
    let room = keeper.instance("room", "r1").open().await.unwrap();
    let mut controls = room.controls();
    let obey = async {
        let control = controls.next().await.expect("a control").unwrap();
        assert_eq!((control.action.as_str(), &control.argument[..]), ("log-level", &b"debug"[..]));
        control.acknowledge(Answer::Done).await.unwrap();
    };
    let send = ctl.json(&["control", "send", "room", "log-level", "debug", "--wait"]);
    let (sent, ()) = tokio::join!(send, obey);
    assert_eq!((&sent["answers"][0]["instance"], &sent["answers"][0]["state"]), (&"room/r1".into(), &"done".into()));
    let number = sent["control"].to_string();
    assert_eq!(ctl.json(&["control", "status", &number]).await, sent);
    let late = ctl.run(&["control", "send", "room/r1", "reload", "--deadline", "1s", "--wait"]).await;
    assert_eq!(late.status.code(), Some(1), "{}", words(&late));
    assert!(words(&late).contains("1 of 1 did not answer within 1000 ms"), "{}", words(&late));
    let nobody = ctl.run(&["control", "send", "rom", "reload"]).await;
    assert!(words(&nobody).contains("keeperctl instance list room"), "{}", words(&nobody));
}
