//! Leaders die in the middle of publishes: what is sound is published once, and what is not never.

use std::cell::Cell;

use keeper_client_sdk::{Edit, Keeper, Publish};
use keeper_tests::{InProcess, until};

const PATH: &str = "push/room.toml";
const ROUNDS: u32 = 90;

fn put(max_inflight: u32) -> Edit {
    Edit::put(PATH, format!("[push]\nmax_inflight = {max_inflight}\nname = \"n\"\n"))
}

/// Sound and unsound by turns; each sound one lies on the one before.
async fn publish(keeper: &Keeper, done: &Cell<u32>) {
    let mut revision = 0;
    for round in 1..=ROUNDS {
        let unsound = Publish::of(put(100 + round)).and(Edit::put("push/other.toml", format!("n = {round}\n")));
        let refused = keeper.configs().publish(unsound).await.expect_err("above the maximum");
        assert_eq!(refused.reason(), "objected", "{refused}");
        let both = Publish::of(put(round).expecting(revision)).and(Edit::put("a.json", round.to_string()));
        revision = keeper.configs().publish(both).await.expect("it is sound, and nobody else publishes").revision;
        done.set(round);
    }
}

async fn kill(cluster: &mut InProcess, done: &Cell<u32>) {
    for after in [ROUNDS / 4, ROUNDS / 2, ROUNDS * 3 / 4] {
        until("publishes go on", async || done.get() >= after).await;
        let leader = cluster.leader().await;
        cluster.crash(leader);
        cluster.restart(leader).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_are_judged_and_done_once_while_leaders_die() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    crate::config_judge::attach(&keeper).await;
    let done = Cell::new(0);
    tokio::join!(publish(&keeper, &done), kill(&mut cluster, &done));
    cluster.converge().await;
    for at in 0..cluster.size() {
        cluster.node(at).replica().read(|state| {
            let room = state.config(PATH).expect("it was published");
            let other = state.config("a.json").expect("with it");
            // A publish that was done twice would have left a version more.
            assert_eq!((room.version, other.version), (u64::from(ROUNDS), u64::from(ROUNDS)));
            assert_eq!(room.revision, other.revision);
            assert!(state.config("push/other.toml").is_none(), "part of what was refused");
            for version in state.history(PATH, 100) {
                let with = state.config_at("a.json", version.revision).expect("published with it");
                assert_eq!(with.revision, version.revision, "both or none");
            }
        });
    }
}
