//! The binary as its users meet it: what it says, and how it ends.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use keeper_proto::v1::sessions_client::SessionsClient;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// More than anything here takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

fn keeper(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keeper"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).env_remove("KEEPER_LOG");
    command
}

async fn run(arguments: &[&str]) -> Output {
    timeout(PATIENCE, keeper(arguments).output()).await.expect("it ends").expect("it runs")
}

/// Exit code and last line of stderr.
async fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said.lines().last().unwrap_or_default().to_owned())
}

fn settings(directory: &Path, rest: &str) -> String {
    let data = directory.join("data");
    format!(
        "cluster = \"main\"\nnode_id = 1\ndata_dir = {data:?}\n[listen]\n\
         peer = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{rest}"
    )
}

/// `keeper dev`, once it has said where it is.
struct Dev {
    process: Child,
    client: String,
    http: String,
}

impl Dev {
    async fn start(data_dir: &Path) -> Self {
        let data_dir = data_dir.to_str().expect("a path of text");
        let mut command = keeper(&["dev", "--port-base", "0", "--data-dir", data_dir]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        while let Some(line) = timeout(PATIENCE, lines.next_line()).await.expect("it starts").expect("text") {
            said.push(line);
            if said.len() == 3 {
                break;
            }
        }
        assert_eq!(
            said.last().map(String::as_str),
            Some(format!("Ctrl-C stops; data in {data_dir}").as_str()),
            "{said:?}"
        );
        let host =
            |line: &str| line.split("http://").nth(1).unwrap_or_default().trim_end_matches("/metrics").to_owned();
        Self { process, client: host(&said[0]), http: host(&said[1]) }
    }

    fn tell(&self, signal: Signal) {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)).expect("it runs");
        kill_process(id, signal).expect("it can be told");
    }

    async fn stop(mut self, signal: Signal) -> Option<i32> {
        self.tell(signal);
        timeout(PATIENCE, self.process.wait()).await.expect("it ends").expect("it is ours").code()
    }
}

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer
}

#[tokio::test]
async fn dev_founds_a_cluster_once_and_ends_when_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("state");
    let dev = Dev::start(&data).await;
    assert!(get(&dev.http, "/healthz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(&dev.http, "/metrics").await.contains("\nkeeper_raft_term "));
    let (code, said) = refusal(&["init", "--endpoint", &dev.client, "--member", "1=127.0.0.1:1,127.0.0.1:2"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("already"), "{said}");
    let wrong = ["init", "--endpoint", &dev.client, "--cluster", "other", "--member", "1=127.0.0.1:1,127.0.0.1:2"];
    assert_eq!(
        refusal(&wrong).await,
        (Some(1), "keeper: this node belongs to cluster `dev`, not to `other`".to_owned())
    );
    assert_eq!(dev.stop(Signal::TERM).await, Some(0));
    let again = Dev::start(&data).await;
    assert_eq!(again.stop(Signal::INT).await, Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut dev = Dev::start(&directory.path().join("state")).await;
    // A stream that its client keeps open is given time to end.
    let mut client = SessionsClient::connect(format!("http://{}", dev.client)).await.expect("it listens");
    let stream = client.write(tokio_stream::pending()).await.expect("it takes the stream");
    let mut lines = BufReader::new(dev.process.stderr.take().expect("a pipe")).lines();
    dev.tell(Signal::TERM);
    let mut said = String::new();
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await.expect("it goes on").expect("text") {
        if line.contains("draining") {
            dev.tell(Signal::TERM);
        }
        said = line;
    }
    assert_eq!(said, "keeper: ended by a second signal (SIGTERM) while draining");
    assert_eq!(timeout(PATIENCE, dev.process.wait()).await.expect("it ends").expect("it is ours").code(), Some(2));
    drop(stream);
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("state");
    let dev = Dev::start(&data).await;
    let path = data.to_str().expect("a path of text");
    let (code, said) = refusal(&["dev", "--port-base", "0", "--data-dir", path]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(path) && said.contains("in use by process"), "{said}");
    assert_eq!(dev.stop(Signal::TERM).await, Some(0));
}

#[tokio::test]
async fn settings_are_checked_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keeper.toml");
    let path = file.to_str().expect("a path of text");
    std::fs::write(&file, settings(directory.path(), "client = \"127.0.0.1:0\"\n")).expect("it is written");
    let output = run(&["check", "--config", path]).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{path} is valid: node 1 of cluster main\n"));
    std::fs::write(&file, settings(directory.path(), "clint = \"127.0.0.1:0\"\n")).expect("it is written");
    let said = format!("keeper: {path}: line 7, column 1: unknown key `clint` in [listen]: did you mean `client`?");
    assert_eq!(refusal(&["check", "--config", path]).await, (Some(1), said.clone()));
    assert_eq!(refusal(&["start", "--config", path]).await, (Some(2), said));
    assert!(!directory.path().join("data").exists(), "nothing was started");
    // A file that is not there was named twice.
    let none = directory.path().join("none.toml");
    let path = none.to_str().expect("a path of text");
    let said = format!("keeper: the settings file {path} cannot be read: No such file or directory (os error 2)");
    for command in ["start", "check", "forget"] {
        assert_eq!(refusal(&[command, "--config", path]).await, (Some(2), said.clone()));
    }
}

/// It called a node valid that did not start.
#[tokio::test]
async fn check_looks_at_the_keys() {
    let directory = tempfile::tempdir().expect("a directory");
    let keys = directory.path().join("keys");
    let file = directory.path().join("keeper.toml");
    let path = file.to_str().expect("a path of text");
    let rest = format!("[secrets]\nkey_file = {keys:?}\n");
    std::fs::write(&file, settings(directory.path(), &rest)).expect("it is written");
    let (code, said) = refusal(&["check", "--config", path]).await;
    assert!(code == Some(2) && said.contains("cannot be read (secrets.key_file)"), "{said}");
    std::fs::write(&keys, "k1:AAEC\n").expect("it is written");
    let (code, said) = refusal(&["check", "--config", path]).await;
    assert!(code == Some(1) && said.contains("holds no ring of keys: key 1 of the ring"), "{said}");
    assert!(!said.contains("AAEC"), "{said}");
}

#[tokio::test]
async fn what_stops_a_start_is_told_in_a_sentence() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keeper.toml");
    let path = file.to_str().expect("a path of text");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address");
    std::fs::write(&file, settings(directory.path(), &format!("client = \"{address}\"\n"))).expect("it is written");
    let said = format!("keeper: cannot listen on {address} (listen.client): Address already in use (os error 98)");
    assert_eq!(refusal(&["start", "--config", path]).await, (Some(2), said));

    std::fs::write(directory.path().join("data"), "a file where the directory should be").expect("it is written");
    std::fs::write(&file, settings(directory.path(), "client = \"127.0.0.1:0\"\n")).expect("it is written");
    let (code, said) = refusal(&["start", "--config", path]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("keeper: ") && said.contains("/data"), "{said}");

    let (code, said) = refusal(&["init", "--endpoint", "127.0.0.1:1", "--member", "1=127.0.0.1:1,127.0.0.1:2"]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.starts_with("keeper: no node answers at 127.0.0.1:1: is it running?"), "{said}");
}

/// All ports of a node speak HTTP/2.
#[tokio::test]
async fn a_founding_by_another_port_names_the_one_that_is_meant() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keeper.toml");
    let path = file.to_str().expect("a path of text");
    std::fs::write(&file, settings(directory.path(), "client = \"127.0.0.1:0\"\n")).expect("it is written");
    let mut node = keeper(&["start", "--config", path]).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(node.stderr.take().expect("a pipe")).lines();
    let said = loop {
        let line = timeout(PATIENCE, lines.next_line()).await.expect("it starts").expect("text").expect("a line");
        if line.contains("the node runs") {
            break line;
        }
    };
    let port =
        |name: &str| said.split(name).nth(1).and_then(|rest| rest.split(' ').next()).expect("its port").to_owned();
    let (client, peer, http) = (port("client="), port("peer="), port("http="));
    let member = format!("1={peer},{client}");
    let expected =
        format!("keeper: {peer} is the peer port of node 1, for other nodes alone: name its client port, {client}");
    assert_eq!(refusal(&["init", "--endpoint", &peer, "--member", &member]).await, (Some(2), expected));
    let (code, said) = refusal(&["init", "--endpoint", &http, "--member", &member]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is not the client port of a node; is it the one for metrics?"), "{said}");
    let (code, said) = refusal(&["init", "--endpoint", &client, "--member", "2=127.0.0.1:1,127.0.0.1:2"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("node 1, which was asked, is not among the members: name it by `--member`"), "{said}");
    node.kill().await.expect("it is ours");
}
