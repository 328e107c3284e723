//! Changes that a few instances get first: opened stage by stage, stopped at the first sign, through deaths of leaders.

use keeper_proto::v1 as wire;
use keeper_registry::rollout_place;
use keeper_tests::{InProcess, until, until_some};
use serde_json::json;
use tonic::Status;
use wire::rollout::State;

use crate::follow_raw::{Follower, Process, Raw, changes, problem, told};

const A: &str = "push/a.toml";

const YES: wire::Applied = wire::Applied::Yes;
const REFUSED: wire::Applied = wire::Applied::Refused;

/// Names of instances that are in at a share, and were not at the one before.
fn names(from_bps: u32, to_bps: u32, count: usize) -> Vec<String> {
    let places = from_bps..to_bps;
    (0..).map(|n: u32| n.to_string()).filter(|id| places.contains(&rollout_place("room", id))).take(count).collect()
}

/// A process that reads the document, and what it is given.
struct Room {
    id: String,
    process: Process,
    follower: Follower,
}

/// Opens them, and has them say that they run with what is published.
async fn rooms(leader: &Raw, ids: &[String]) -> Vec<Room> {
    let mut rooms = Vec::new();
    for id in ids {
        rooms.push(room(leader, id, 600_000).await);
    }
    rooms
}

async fn room(leader: &Raw, id: &str, ttl_ms: u32) -> Room {
    let process = leader.open_for(ttl_ms, id, "eu", &[]).await;
    leader.announce(&process, &[(A, "")]).await;
    let mut follower = leader.follow(&process, &[A]).await;
    for (path, revision, _) in follower.full().await {
        leader.acknowledge(&process, &path, revision, YES).await;
    }
    Room { id: id.to_owned(), process, follower }
}

impl Room {
    /// Takes the next change, and says what it makes of it.
    async fn takes(&mut self, leader: &Raw, x: u64, applied: wire::Applied) -> u64 {
        let (path, revision, value) = self.follower.changed().await.remove(0);
        assert_eq!(value, json!({ "x": x }), "room/{}", self.id);
        leader.acknowledge(&self.process, &path, revision, applied).await;
        revision
    }
}

fn start(text: &str, stages: &[(u32, Option<u64>)]) -> wire::StartRolloutRequest {
    let stage = |(share_bps, hold_ms): &(u32, Option<u64>)| wire::Stage {
        selector: None,
        share_bps: *share_bps,
        hold_ms: *hold_ms,
    };
    wire::StartRolloutRequest {
        publish: Some(changes(&[(A, text)])),
        stages: stages.iter().map(stage).collect(),
        applied_bps: 0,
    }
}

async fn started(leader: &Raw, text: &str, stages: &[(u32, Option<u64>)]) -> u64 {
    let reply = leader.rollouts().start(start(text, stages)).await.unwrap().into_inner();
    reply.rollout.expect("it is started").rollout
}

async fn get(leader: &Raw, rollout: u64) -> Result<(wire::Rollout, wire::RolloutHeard), Status> {
    let request = wire::GetRolloutRequest { rollout, path: String::new() };
    let reply = leader.rollouts().get(request).await?.into_inner();
    Ok((reply.rollout.unwrap(), reply.heard.unwrap_or_default()))
}

async fn until_stage(leader: &Raw, rollout: u64, open: usize) {
    until("the stage opens", async || get(leader, rollout).await.unwrap().0.opened_at_ms.len() == open).await;
}

async fn until_state(leader: &Raw, rollout: u64, state: State) -> wire::Rollout {
    until_some("the rollout comes to its end", async || {
        let (rollout, _) = get(leader, rollout).await.unwrap();
        (rollout.state() == state).then_some(rollout)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_opens_when_the_one_before_has_applied_it_and_the_last_one_publishes() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let ids = [names(0, 500, 2), names(500, 2_500, 2), names(2_500, 10_000, 2)].concat();
    let mut rooms = rooms(&leader, &ids).await;
    let weighed = wire::StartRolloutRequest {
        publish: Some(wire::PublishRequest { dry_run: true, ..changes(&[(A, "x = 2\n")]) }),
        ..start("", &[(500, Some(0)), (2_500, Some(0)), (10_000, Some(0))])
    };
    let weighed = leader.rollouts().start(weighed).await.unwrap().into_inner();
    assert_eq!((weighed.rollout, weighed.stage_instances), (None, vec![2, 4, 6]));

    let rollout = started(&leader, "x = 2\n", &[(500, Some(0)), (2_500, Some(0)), (10_000, Some(0))]).await;
    rooms[0].takes(&leader, 2, YES).await;
    let (seen, heard) = get(&leader, rollout).await.unwrap();
    assert_eq!((seen.opened_at_ms.len(), heard.instances, heard.applied, heard.waiting), (1, 2, 1, 1));
    assert_eq!(heard.waits_for, format!("1 of 2 instances to apply it: room/{}", ids[1]));
    for room in &mut rooms[1..] {
        room.takes(&leader, 2, YES).await;
    }
    let promoted = until_state(&leader, rollout, State::Promoted).await;
    assert_eq!((&promoted.by[..], &promoted.author[..], promoted.opened_at_ms.len()), ("", "ann", 3));
    let (_, heard) = get(&leader, rollout).await.unwrap();
    assert_eq!((heard.instances, heard.applied), (6, 6), "its last words are not of nobody");
    let last = wire::GetRolloutRequest { rollout: 0, path: A.to_owned() };
    let last = leader.rollouts().get(last).await.unwrap().into_inner().rollout;
    assert_eq!(last, Some(promoted.clone()), "a document's last rollout is found by its name");
    cluster.converge().await;
    for at in 0..3 {
        cluster.node(at).replica().read(|state| {
            let document = state.config(A).expect("published");
            assert_eq!((document.revision.0, &*document.author), (promoted.changed_revision, "ann"));
        });
    }
    // Nobody was told anew what it had: the next word is the next publish.
    let next = leader.publish(&[(A, "x = 3\n")]).await;
    for room in &mut rooms {
        assert_eq!(room.follower.changed().await, [told(A, next, json!({"x": 3}))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_refused_at_five_percent_never_reaches_a_sixth() {
    let mut cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let ids = [names(0, 500, 3), names(500, 600, 2), names(600, 10_000, 1)].concat();
    let mut rooms = rooms(&leader, &ids).await;
    let rollout = started(&leader, "x = 2\n", &[(500, Some(0)), (600, Some(0)), (10_000, Some(0))]).await;
    for room in &mut rooms[..2] {
        room.takes(&leader, 2, YES).await;
    }
    // Whoever leads now has heard nobody, and opens nothing on what the one before it heard.
    let old = cluster.leader().await;
    let cursors: Vec<_> = rooms.iter().map(|room| room.follower.cursor).collect();
    cluster.crash(old);
    let leader = Raw::leader(&cluster).await;
    let (seen, heard) = get(&leader, rollout).await.unwrap();
    assert_eq!((seen.opened_at_ms.len(), heard.applied, heard.waiting), (1, 0, 3));
    for (room, cursor) in rooms.iter_mut().zip(cursors) {
        room.follower = leader.follow_from(&room.process, &[A], cursor).await;
    }
    for room in &rooms[..2] {
        leader.acknowledge(&room.process, A, rollout, YES).await;
    }
    assert_eq!(get(&leader, rollout).await.unwrap().1.waiting, 1);
    rooms[2].takes(&leader, 2, REFUSED).await;
    let stopped = until_state(&leader, rollout, State::Stopped).await;
    assert_eq!(stopped.opened_at_ms.len(), 1, "no sixth percent");
    assert_eq!(stopped.reason, format!("room/{} refuses {A}: as it says", ids[2]));
    assert_eq!(stopped.by, "");
    for room in &mut rooms[..3] {
        let (_, _, value) = room.follower.changed().await.remove(0);
        assert_eq!(value, json!({"x": 1}), "nobody has it any more");
    }
    let next = leader.publish(&[(A, "x = 3\n")]).await;
    for room in &mut rooms[3..] {
        assert_eq!(room.follower.changed().await, [told(A, next, json!({"x": 3}))], "nobody else ever had it");
    }
    cluster.restart(old).await;
    cluster.converge().await;
}

/// Whoever decides looks now and then, and others publish meanwhile: it was forgotten with its instance.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_counts_though_its_instance_has_closed_or_thinks_otherwise_by_then() {
    let cluster = InProcess::start(1).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let id = names(0, 500, 1).remove(0);
    let rounds = async {
        for round in 0..8 {
            let mut room = room(&leader, &id, 600_000).await;
            let rollout = started(&leader, "x = 2\n", &[(500, Some(0)), (10_000, None)]).await;
            let is_refused = round < 4;
            if is_refused {
                room.takes(&leader, 2, REFUSED).await;
            } else {
                leader.report(&room.process, false).await;
            }
            let (told, _) = get(&leader, rollout).await.unwrap();
            assert_eq!(told.state(), State::Stopped, "round {round}: whoever is answered need not say it again");
            if round % 2 == 0 {
                leader.acknowledge(&room.process, A, rollout, YES).await;
                leader.report(&room.process, true).await;
            }
            leader.close(&room.process).await;
            let stopped = until_state(&leader, rollout, State::Stopped).await;
            assert_eq!(stopped.opened_at_ms.len(), 1, "round {round}: nobody else was to have it");
            let said =
                if is_refused { format!("refuses {A}: as it says") } else { "is not well: as it says".to_owned() };
            assert_eq!(stopped.reason, format!("room/{id} {said}"));
        }
    };
    let others = async {
        for n in 0.. {
            leader.publish(&[("push/other.toml", &format!("n = {n}\n"))]).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        () = others => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_goes_on_under_each_next_leader_once_everybody_has_spoken_to_it() {
    let mut cluster = InProcess::start(3).await;
    let mut leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let ids = [names(0, 500, 2), names(500, 2_500, 2), names(2_500, 10_000, 2)].concat();
    let mut rooms = rooms(&leader, &ids).await;
    let rollout = started(&leader, "x = 2\n", &[(500, Some(0)), (2_500, Some(0)), (10_000, Some(0))]).await;
    for open in 1..=3_usize {
        // All but one have applied it, and the leader that heard them is killed.
        let (last, others) = rooms[..2 * open].split_last_mut().expect("two a stage");
        let newcomers = others.len() - 1;
        others[newcomers].takes(&leader, 2, YES).await;
        let old = cluster.leader().await;
        let cursors: Vec<_> = others.iter().map(|room| room.follower.cursor).collect();
        let cursor = last.follower.cursor;
        cluster.crash(old);
        leader = Raw::leader(&cluster).await;
        let (seen, heard) = get(&leader, rollout).await.unwrap();
        assert_eq!((seen.opened_at_ms.len(), heard.applied, heard.waiting), (open, 0, 2 * open as u32));
        for (room, cursor) in others.iter_mut().zip(cursors) {
            room.follower = leader.follow_from(&room.process, &[A], cursor).await;
            leader.acknowledge(&room.process, A, seen.changed_revision, YES).await;
        }
        let (seen, heard) = get(&leader, rollout).await.unwrap();
        assert_eq!((seen.opened_at_ms.len(), heard.waiting), (open, 1), "one is enough to wait for");
        last.follower = leader.follow_from(&last.process, &[A], cursor).await;
        last.takes(&leader, 2, YES).await;
        if open < 3 {
            until_stage(&leader, rollout, open + 1).await;
            for room in &mut rooms[2 * open..] {
                room.follower = leader.follow_from(&room.process, &[A], room.follower.cursor).await;
            }
        }
        cluster.restart(old).await;
    }
    let promoted = until_state(&leader, rollout, State::Promoted).await;
    cluster.converge().await;
    let revisions: Vec<_> = (0..3)
        .map(|at| cluster.node(at).replica().read(|state| state.config(A).map(|document| document.revision.0)))
        .collect();
    assert_eq!(revisions, [Some(promoted.changed_revision); 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_takes_nobody_in_or_out() {
    let mut cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let (inside, outside) = (names(0, 500, 2), names(500, 10_000, 3));
    rooms(&leader, &[inside.clone(), outside.clone()].concat()).await;
    let rollout = started(&leader, "x = 2\n", &[(500, None), (10_000, None)]).await;
    for _ in 0..2 {
        let old = cluster.leader().await;
        cluster.crash(old);
        let leader = Raw::leader(&cluster).await;
        for (ids, x) in [(&inside, 2), (&outside, 1)] {
            for id in ids {
                let process = leader.open(id, "eu", &[]).await;
                let full = leader.follow(&process, &[A]).await.full().await;
                assert_eq!(full[0].2, json!({ "x": x }), "room/{id}");
            }
        }
        cluster.restart(old).await;
    }
    let leader = Raw::leader(&cluster).await;
    assert_eq!(get(&leader, rollout).await.unwrap().0.opened_at_ms.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_is_not_well_stops_it_at_once_a_paused_one_too() {
    let cluster = InProcess::start(1).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let mut rooms = rooms(&leader, &[names(0, 500, 1), names(500, 10_000, 1)].concat()).await;
    // Whoever is outside of the stage may be as unwell as it likes.
    leader.report(&rooms[1].process, false).await;
    let rollout = started(&leader, "x = 2\n", &[(500, Some(600_000)), (10_000, None)]).await;
    rooms[0].takes(&leader, 2, YES).await;
    let step = wire::StepRolloutRequest { rollout, author: "bob".to_owned() };
    let paused = leader.rollouts().pause(step.clone()).await.unwrap().into_inner();
    assert_eq!(paused.heard.unwrap().waits_for, "somebody to resume it");
    leader.rollouts().resume(step.clone()).await.unwrap();
    let (_, heard) = get(&leader, rollout).await.unwrap();
    assert!(heard.waits_for.starts_with("the time of stage 1: another "), "{}", heard.waits_for);
    leader.rollouts().pause(step).await.unwrap();
    leader.report(&rooms[0].process, false).await;
    let stopped = until_state(&leader, rollout, State::Stopped).await;
    assert_eq!(stopped.reason, format!("room/{} is not well: as it says", rooms[0].id));
    assert_eq!(rooms[0].follower.changed().await[0].2, json!({"x": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_in_a_stage_and_dies_is_waited_for() {
    let cluster = InProcess::start(1).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let ids = names(0, 500, 3);
    let mut dying = room(&leader, &ids[0], 4_000).await;
    let mut leaving = room(&leader, &ids[1], 600_000).await;
    let mut staying = room(&leader, &ids[2], 600_000).await;
    let rollout = started(&leader, "x = 2\n", &[(500, Some(6_000)), (10_000, None)]).await;
    for room in [&mut dying, &mut leaving, &mut staying] {
        room.takes(&leader, 2, YES).await;
    }
    until("all were seen in it", async || get(&leader, rollout).await.unwrap().1.applied == 3).await;
    leader.close(&leaving.process).await;
    assert_eq!(problem(&dying.follower.end().await).0, "incarnation-closed");
    let waits_for = format!("1 instance that was in it to come back: room/{}", ids[0]);
    until("it is waited for", async || get(&leader, rollout).await.unwrap().1.waits_for == waits_for).await;
    let back = leader.open(&ids[0], "eu", &[]).await;
    leader.announce(&back, &[(A, "")]).await;
    assert_eq!(get(&leader, rollout).await.unwrap().0.opened_at_ms.len(), 1);
    let full = leader.follow(&back, &[A]).await.full().await;
    assert_eq!(full[0].2, json!({"x": 2}));
    leader.acknowledge(&back, A, full[0].1, YES).await;
    until_stage(&leader, rollout, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_advances_promotes_and_aborts_by_hand() {
    let cluster = InProcess::start(3).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let mut rooms = rooms(&leader, &[names(0, 500, 1), names(500, 10_000, 1)].concat()).await;
    let first = started(&leader, "x = 2\n", &[(500, None), (10_000, None)]).await;
    let busy = leader.try_publish(&[("push/a.toml@zone=us", "x = 7\n")]).await.unwrap_err();
    assert_eq!(problem(&busy).0, "rolling-out");
    let busy = leader.rollouts().start(start("x = 7\n", &[(1, None)])).await.unwrap_err();
    let (reason, _, message) = problem(&busy);
    assert!(reason == "rolling-out" && message.contains(&format!("rollout {first}")), "{message}");
    let advance = |rollout, from_stage| wire::AdvanceRolloutRequest { rollout, from_stage, author: "bob".to_owned() };
    let late = leader.rollouts().advance(advance(first, 1)).await.unwrap_err();
    assert_eq!(problem(&late).2, format!("rollout {first} is running, its last open stage being 1"));
    leader.rollouts().advance(advance(first, 0)).await.unwrap();
    for room in &mut rooms {
        room.takes(&leader, 2, YES).await;
    }
    let promoted = leader.rollouts().advance(advance(first, 1)).await.unwrap().into_inner().rollout.unwrap();
    assert_eq!((promoted.state(), &promoted.by[..]), (State::Promoted, "bob"));

    let second = started(&leader, "x = 3\n", &[(500, None)]).await;
    rooms[0].takes(&leader, 3, YES).await;
    let by_path = wire::GetRolloutRequest { rollout: 0, path: A.to_owned() };
    assert_eq!(leader.rollouts().get(by_path).await.unwrap().into_inner().rollout.unwrap().rollout, second);
    let abort = wire::AbortRolloutRequest { rollout: second, author: "bob".to_owned(), reason: "too soon".to_owned() };
    let aborted = leader.rollouts().abort(abort.clone()).await.unwrap().into_inner().rollout.unwrap();
    assert_eq!((aborted.state(), &aborted.reason[..]), (State::Aborted, "too soon"));
    rooms[0].takes(&leader, 2, YES).await;
    assert_eq!(problem(&leader.rollouts().abort(abort).await.unwrap_err()).0, "rollout-is");

    let third = started(&leader, "x = 4\n", &[(500, None)]).await;
    let promote = wire::PromoteRolloutRequest { rollout: third, author: "bob".to_owned(), forced: String::new() };
    leader.rollouts().promote(promote).await.unwrap();
    for room in &mut rooms {
        room.takes(&leader, 4, YES).await;
    }
    let follower = Raw::node(&cluster, cluster.follower().await).await;
    let all = wire::ListRolloutsRequest { path: A.to_owned(), unfinished: false };
    let listed = follower.rollouts().list(all).await.unwrap().into_inner().rollouts;
    assert_eq!(listed.iter().map(|it| it.rollout).collect::<Vec<_>>(), [third, second, first]);
    let elsewhere = follower.rollouts().start(start("x = 5\n", &[(500, None)])).await.unwrap_err();
    assert_eq!(problem(&elsewhere).0, "not-leader");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_processes_cannot_read_is_neither_started_nor_promoted() {
    let cluster = InProcess::start(1).await;
    let leader = Raw::leader(&cluster).await;
    leader.publish(&[(A, "x = 1\n")]).await;
    let schema =
        |maximum: u32| format!(r#"{{"properties":{{"x":{{"maximum":{maximum},"type":"integer"}}}},"type":"object"}}"#);
    let reader = leader.open("1", "eu", &[]).await;
    leader.announce(&reader, &[(A, &schema(100))]).await;
    let refused = leader.rollouts().start(start("x = 500\n", &[(10_000, Some(0))])).await.unwrap_err();
    let (reason, _, message) = problem(&refused);
    assert_eq!(reason, "objected");
    assert!(message.contains("1 instance of room 1.4.2 cannot read x: 500 is greater than"), "{message}");
    let rollout = started(&leader, "x = 50\n", &[(10_000, Some(0))]).await;
    // One has come that cannot read it.
    let newer = leader.open("2", "eu", &[]).await;
    leader.announce(&newer, &[(A, &schema(10))]).await;
    for process in [&reader, &newer] {
        leader.acknowledge(process, A, rollout, YES).await;
    }
    until("the promotion is refused", async || {
        let (seen, heard) = get(&leader, rollout).await.unwrap();
        assert_eq!(seen.state(), State::Running);
        heard.waits_for.contains("cannot read x: 50 is greater than the maximum of 10")
    })
    .await;
    let forced = "it is known".to_owned();
    let promote = wire::PromoteRolloutRequest { rollout, author: "bob".to_owned(), forced };
    leader.rollouts().promote(promote).await.unwrap();
    let document = cluster.node(0).replica().read(|state| state.config(A).cloned()).expect("published");
    assert_eq!(document.forced.as_deref(), Some("it is known"));
}
