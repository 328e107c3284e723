//! Processes that read a document have a say in what is published.

use keeper_client_sdk::{Edit, Keeper, Publish};
use keeper_proto::v1 as wire;
use keeper_proto::v1::instances_client::InstancesClient;
use keeper_tests::InProcess;

use crate::follow_raw::{Along, Process, Raw, announcement};

const PATH: &str = "push/room.toml";
const SCHEMA: &str = r#"{"properties":{"max_clients":{"maximum":100,"type":"integer"}},"type":"object"}"#;
const STRICTER: &str = r#"{"properties":{"max_clients":{"maximum":10,"type":"integer"}},"type":"object"}"#;

fn put(key: &str, max_clients: u32) -> Edit {
    Edit::put(key, format!("max_clients = {max_clients}\n"))
}

async fn refused(keeper: &Keeper, edit: Edit) -> String {
    let refused = keeper.configs().publish(edit).await.unwrap_err();
    assert_eq!(refused.reason(), "objected", "{refused}");
    refused.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_cannot_read_is_refused_with_their_number_unless_forced() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let leader = Raw::leader(&cluster).await;
    keeper.configs().publish(put(PATH, 1)).await.unwrap();
    let mut processes = Vec::new();
    for id in ["a", "b", "c"] {
        let process = leader.open(id, "eu", &[]).await;
        leader.announce(&process, &[(PATH, SCHEMA)]).await;
        processes.push(process);
    }
    let stricter = leader.open("d", "us", &[]).await;
    leader.announce(&stricter, &[(PATH, STRICTER)]).await;

    let said = refused(&keeper, put(PATH, 200)).await;
    for group in ["1 instance", "3 instances"] {
        assert!(
            said.contains(&format!("{group} of room 1.4.2 cannot read max_clients: 200 is greater than")),
            "{said}"
        );
    }
    let said = refused(&keeper, put(PATH, 50)).await;
    assert!(said.starts_with("push/room.toml: 1 instance of room 1.4.2 cannot read max_clients: 50 is"), "{said}");
    // A layer is for those it is for.
    keeper.configs().publish(put("push/room.toml@zone=eu", 50)).await.unwrap();
    let said = refused(&keeper, put("push/room.toml@zone=us", 50)).await;
    assert!(said.starts_with("push/room.toml with zone=us: 1 instance"), "{said}");
    let said = refused(&keeper, Edit::put(PATH, "max_clients = \"x\"\n")).await;
    assert!(said.contains("\"x\" is not of type \"integer\""), "{said}");
    // Taking it away from under them is as bad.
    let everything = Publish::of(Edit::delete(PATH)).and(Edit::delete("push/room.toml@zone=eu"));
    let said = keeper.configs().publish(everything).await.unwrap_err().to_string();
    assert!(said.contains("4 instances of room 1.4.2 would have nothing to read"), "{said}");
    assert_eq!(keeper.configs().get(PATH).await.unwrap().unwrap().text, "max_clients = 1\n");

    let tried = keeper.configs().dry_run(put(PATH, 2)).await.unwrap();
    assert_eq!((tried.documents[0].instances, tried.objections.len()), (4, 0));
    let forced = Publish::of(put(PATH, 50)).forced("d is being replaced");
    let published = keeper.configs().publish(forced).await.unwrap();
    assert_eq!((published.objections[0].instances, published.objections[0].service.as_str()), (1, "room"));
    leader.close(&stricter).await;
    keeper.configs().publish(put(PATH, 60)).await.unwrap();
}

/// A process that comes while a publish is judged is judged by, or comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn no_publish_slips_past_a_process_that_was_there_before_it() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let leader = Raw::leader(&cluster).await;
    keeper.configs().publish(put(PATH, 1)).await.unwrap();
    let publishing = async {
        let mut published = Vec::new();
        for max_clients in (0..120).map(|n| if n % 2 == 0 { 200 } else { 50 }) {
            if let Ok(done) = keeper.configs().publish(put(PATH, max_clients)).await
                && done.changed
            {
                published.push((done.revision, max_clients));
            }
        }
        published
    };
    let reading = async {
        let mut lives = Vec::new();
        for n in 0..20 {
            let process = leader.open(&format!("p{n}"), "eu", &[]).await;
            let announcement = announcement(&process, &[(PATH, SCHEMA)], Along::Schemas);
            let announced = leader.follows().announce(announcement).await.unwrap().into_inner();
            let Process { incarnation, state_id, .. } = process;
            let close = wire::CloseInstanceRequest { incarnation, state_id, ..Default::default() };
            let closed = InstancesClient::new(leader.0.clone()).close(close).await.unwrap().into_inner();
            lives.push((announced.revision, closed.revision));
        }
        lives
    };
    let (published, lives) = tokio::join!(publishing, reading);
    let (large, small) = published.iter().partition::<Vec<_>, _>(|(_, max_clients)| *max_clients == 200);
    assert!(!large.is_empty() && !small.is_empty(), "nobody was there now and then: {published:?}");
    for (announced, closed) in lives {
        assert!(announced > 0 && announced < closed);
        let slipped: Vec<_> = large.iter().filter(|(at, _)| announced < *at && *at < closed).collect();
        assert!(slipped.is_empty(), "a process was there from {announced} to {closed}: {slipped:?}");
    }
}
