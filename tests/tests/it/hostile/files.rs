//! A process that may open few files.

use keeper_client_sdk::Endpoint;
use keeper_tests::{Processes, until};
use tokio::net::TcpStream;

use super::get;

/// So few that clients would have them all.
const FILES: u64 = 256;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_files_are_wanted_by_many_goes_on_and_tells_how_it_is() {
    let cluster = Processes::start_with_files(1, FILES).await;
    let keeper = cluster.keeper().await;
    let room = keeper.instance("room", "a").open().await.expect("an instance opens");
    let listen = cluster.listen(0);
    let mut many = Vec::new();
    for _ in 0..FILES {
        for address in [listen.client, listen.peer, listen.http] {
            many.extend(TcpStream::connect(address).await);
        }
    }
    for _ in 0..10 {
        let page = get(&listen.http.to_string(), "/metrics").await.expect("the port answers");
        assert!(page.contains("keeper_connections"), "{page}");
        let late = keeper_client_sdk::Keeper::connect(cluster.endpoints()).await.expect("it is let in");
        let endpoint = Endpoint::parse(&cluster.endpoint(0)).expect("an endpoint");
        late.cluster().status_of(&endpoint).await.expect("its status it tells");
    }
    let edit = keeper_client_sdk::Edit::put("a.toml", "x = 1");
    keeper.configs().publish(edit).await.expect("the log is written");
    drop((room, many));
    until("others are served again", async || {
        let late = keeper_client_sdk::Keeper::connect(cluster.endpoints()).await;
        let Ok(late) = late else { return false };
        late.configs().publish(keeper_client_sdk::Edit::put("b.toml", "x = 1")).await.is_ok()
    })
    .await;
    let log = std::fs::read_to_string(cluster.log(0)).expect("a log");
    assert!(log.contains("the limit of open files allows fewer client connections"), "{log}");
}
