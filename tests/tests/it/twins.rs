//! A data directory that runs twice at once, and an address that leads elsewhere.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use keeper::settings::Listen;
use keeper_client_sdk::{Edit, Keeper};
use keeper_tests::{InProcess, Processes, binary, until, until_some};
use tempfile::TempDir;

use crate::name::Name;

/// A machine with another address, and the directory and settings of a node. Its process ends with the test.
struct Clone {
    process: Child,
    folder: TempDir,
}

impl Drop for Clone {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Copies a directory to where there is none.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let source = file.unwrap().path();
        let target = to.join(source.file_name().unwrap());
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}

impl Clone {
    /// The disk of a clone of a node that does not run.
    fn disk(cluster: &Processes, at: usize) -> TempDir {
        Self::disk_reached_at(cluster, at, cluster.listen(at).peer)
    }

    /// The same, where both say that they are reached by another address than that they listen on.
    fn disk_reached_at(cluster: &Processes, at: usize, peer_advertised: SocketAddr) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        copy(&cluster.data(at), &folder.path().join("data"));
        let Listen { client, peer, http } = cluster.listen(at);
        let elsewhere = |port| format!("127.0.0.2:{port}");
        let settings = format!(
            "cluster = \"test\"\ndata_dir = \"{}\"\nallow_insecure = true\n\
             [listen]\nclient = \"{}\"\npeer = \"{}\"\nhttp = \"{}\"\n\
             [advertise]\nclient = \"{client}\"\npeer = \"{peer_advertised}\"\n",
            folder.path().join("data").display(),
            elsewhere(client.port()),
            elsewhere(peer.port()),
            elsewhere(http.port()),
        );
        fs::write(folder.path().join("keeper.toml"), settings).unwrap();
        folder
    }

    fn start(folder: TempDir) -> Self {
        let file = folder.path().join("keeper.toml");
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(binary("keeper"));
        command.args(["start", "--config"]).arg(file).stdin(Stdio::null());
        let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { process, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Waits for its end.
    async fn ended(&mut self) -> Option<i32> {
        let ended = until_some("the clone ends", async || self.process.try_wait().unwrap());
        ended.await.code()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloned_machine_with_the_same_advertised_address_does_not_go_on() {
    let mut cluster = Processes::start(3).await;
    let keeper = cluster.keeper().await;
    let leader = cluster.leader().await;
    let (original, other) = ((leader + 1) % 3, (leader + 2) % 3);
    cluster.kill(original);
    let disk = Clone::disk(&cluster, original);
    cluster.launch(original);
    let endpoint = cluster.endpoint(original);
    until("the original runs", async || Keeper::connect([endpoint.clone()]).await.is_ok()).await;
    let mut clone = Clone::start(disk);
    until("it knows", async || clone.log().contains("another process with this data directory answers")).await;
    // It would be elected as well as the original: nobody else can tell the two apart.
    cluster.kill(leader);
    let code = clone.ended().await;
    let said = clone.log();
    assert_eq!(code, Some(2), "{said}");
    let peer = cluster.listen(original).peer;
    assert!(said.contains(&format!("at {peer}, where this node says that it is reached")), "{said}");
    assert!(said.contains("`keeper forget --config FILE`"), "{said}");
    assert!(!said.contains("raft has failed"), "{said}");
    cluster.leader_among(&[original, other]).await;
    keeper.configs().publish(Edit::put("a.json", "{}")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_that_leads_hands_over_what_it_acknowledged_once_its_original_is_back() {
    let mut cluster = Processes::start(3).await;
    let former = cluster.leader().await;
    let (original, third) = ((former + 1) % 3, (former + 2) % 3);
    cluster.kill(original);
    let mut clone = Clone::start(Clone::disk(&cluster, original));
    let at_clone = cluster.endpoint(original).replace("127.0.0.1", "127.0.0.2");
    let keeper = until_some("the clone runs", async || Keeper::connect([at_clone.clone()]).await.ok()).await;
    cluster.kill(former);
    // Nobody else can be elected: the third reaches no other voter.
    until("the clone leads", async || keeper.configs().publish(Edit::put("a/0.json", "{}")).await.is_ok()).await;
    cluster.launch(original);
    let mut acknowledged = vec!["a/0.json".to_owned()];
    until("the clone knows", async || {
        let path = format!("a/{}.json", acknowledged.len());
        if keeper.configs().publish(Edit::put(path.as_str(), "{}")).await.is_ok() {
            acknowledged.push(path);
        }
        clone.log().contains("this node hands leadership over")
    })
    .await;
    cluster.leader_among(&[original, third]).await;
    assert_eq!(clone.ended().await, Some(2), "{}", clone.log());
    assert!(clone.log().contains("which may be the copy or the original"), "{}", clone.log());
    // The original has all of it, too.
    let others = Keeper::connect([cluster.endpoint(original), cluster.endpoint(third)]).await.unwrap();
    others.configs().publish(Edit::put("after.json", "{}")).await.unwrap();
    cluster.launch(former);
    cluster.leader().await;
    cluster.kill(third);
    cluster.leader_among(&[original, former]).await;
    let left = Keeper::connect([cluster.endpoint(original), cluster.endpoint(former)]).await.unwrap();
    for path in acknowledged {
        assert!(left.configs().get(path.as_str()).await.unwrap().is_some(), "{path} is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_is_noticed_when_the_name_moves_to_it() {
    let mut cluster = Processes::start(1).await;
    let Listen { peer, .. } = cluster.listen(0);
    let name = Name::leading_to(peer).await;
    cluster.kill(0);
    cluster.write_settings(0, &format!("[advertise]\npeer = \"{}\"\n", name.address));
    let disk = Clone::disk_reached_at(&cluster, 0, name.address);
    cluster.launch(0);
    until("the original has asked", async || name.made() > 0).await;
    name.lead_to(SocketAddr::new(Ipv4Addr::new(127, 0, 0, 2).into(), peer.port()));
    let _clone = Clone::start(disk);
    // It had heard itself on a connection that still leads to it.
    let said = async || fs::read_to_string(cluster.log(0)).unwrap();
    until("it knows", async || said().await.contains("another process with this data directory answers")).await;
    until("it ends", async || said().await.contains("the node cannot go on")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_stands_for_election_where_its_address_leads_to_it_and_where_it_leads_nowhere() {
    let mut cluster = InProcess::start(1).await;
    let peer = cluster.peer_endpoint(0);
    for said in [peer.as_str(), "127.0.0.3:1"] {
        cluster.stop(0).await;
        cluster.change(0, |settings| {
            settings.listen.peer.set_ip(Ipv4Addr::UNSPECIFIED.into());
            settings.advertise.peer = Some(said.to_owned());
        });
        cluster.restart(0).await;
        cluster.leader().await;
        assert_eq!(cluster.node(0).raft().misaddressed(), None, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_to_another_node_is_said() {
    let mut cluster = InProcess::start(1).await;
    let (peer, spare) = (cluster.peer_endpoint(0), cluster.spare().await);
    cluster.stop(spare).await;
    cluster.change(spare, |settings| settings.advertise.peer = Some(peer.clone()));
    cluster.restart(spare).await;
    let fault = until_some("it is found", async || cluster.node(spare).raft().misaddressed()).await;
    assert_eq!(fault, format!("node 1, with another data directory, answers at {peer}, this node's own address"));
}
