//! A gateway keeps its connections registered, whatever becomes of leases, frames and the state of the cluster.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::try_join_all;
use keeper_client_sdk::{
    Answer, Connection, Gateway, GatewayEvent, GatewayEvents, Keeper, Lost, Registration, SendControl, SessionKey,
};
use tokio::time::{Instant, timeout};

use crate::fake::{
    Fake, notices,
    state::{Book, Fault},
};

const LEFT: i32 = 1;
const LOST: i32 = 2;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Room {
    keeper: Keeper,
    gateway: Gateway,
    events: GatewayEvents,
}

impl Room {
    async fn open(fake: &Fake) -> anyhow::Result<Self> {
        let keeper = Keeper::builder().endpoints(&fake.endpoints).seed(1).connect().await?;
        let builder = keeper.instance("room", "room-1").ttl(Duration::from_millis(1_200)).gateway();
        let (gateway, events) = builder.start();
        let mut room = Self { keeper, gateway, events };
        let GatewayEvent::Opened { incarnation: 1 } = room.event().await? else { anyhow::bail!("no first life") };
        Ok(room)
    }

    async fn event(&mut self) -> anyhow::Result<GatewayEvent> {
        let event = timeout(PATIENCE, self.events.next()).await?;
        event.ok_or_else(|| anyhow::anyhow!("the gateway has ended"))
    }

    async fn connect(&self, user: &str) -> anyhow::Result<Connection> {
        Ok(timeout(PATIENCE, self.gateway.connect(registration(user))).await??)
    }

    async fn connect_all(&self, users: &[String]) -> anyhow::Result<Vec<Connection>> {
        try_join_all(users.iter().map(|user| self.connect(user))).await
    }

    /// Past the loss of one life and the beginning of the next.
    async fn next_life(&mut self) -> anyhow::Result<Lost> {
        let GatewayEvent::Lost { reason, .. } = self.event().await? else { anyhow::bail!("the life is not lost") };
        let GatewayEvent::Opened { .. } = self.event().await? else { anyhow::bail!("no other life") };
        Ok(reason)
    }
    async fn reregistered(&mut self) -> anyhow::Result<()> {
        let event = self.event().await?;
        let is_it = matches!(event, GatewayEvent::Reregistered { .. });
        anyhow::ensure!(is_it, "before all are registered again: {event:?}");
        Ok(())
    }
}

fn registration(user: &str) -> Registration {
    let key = SessionKey::of_user(user.to_owned()).expect("a short name");
    Registration::new(key).connection(format!("of-{user}"))
}

fn users(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("user-{number}")).collect()
}

/// In which incarnation a user is live.
fn place(book: &Book, user: &str) -> Option<u64> {
    book.live(user).map(|held| held.incarnation)
}

fn confirmed(book: &Book) -> usize {
    book.arrived.iter().map(|frame| notices::read(&frame.confirmed)).max().unwrap_or(0)
}

#[tokio::test]
async fn a_connection_is_registered_while_its_handle_lives() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let room = Room::open(&fake).await?;
    let (ann, bob, eve) = (room.connect("ann").await?, room.connect("bob").await?, room.connect("eve").await?);
    assert_eq!(
        fake.state.read(|book| book.live("ann").map(|held| held.epoch.revision)),
        ann.epoch().map(|it| it.revision)
    );
    assert_eq!((room.gateway.status().connections, room.gateway.status().registered), (3, 3));
    ann.close().await;
    bob.dropped().await;
    drop(eve);
    let ended = [("ann", LEFT), ("bob", LOST), ("eve", LOST)].map(|(user, cause)| (user.to_owned(), cause));
    fake.state.until("all are given up", |book| book.ended == ended).await?;
    room.gateway.close().await;
    assert_eq!(fake.state.read(|book| book.closed.clone()), [1]);
    assert_eq!(room.gateway.connect(registration("joe")).await.expect_err("it has ended").reason(), "ended");
    Ok(())
}

#[tokio::test]
async fn a_registration_whose_caller_gave_up_is_found_and_undone() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let room = Room::open(&fake).await?;
    fake.state.change(|book| book.faults.push_back(Fault::Silence));
    {
        let connecting = room.gateway.connect(registration("ann"));
        tokio::pin!(connecting);
        tokio::select! {
            _ = &mut connecting => anyhow::bail!("nobody answers"),
            sent = fake.state.until("the frame is sent", |book| book.arrived.len() == 1) => sent?,
        }
    }
    // The stream breaks, the frame goes again, and is taken long after the caller has gone.
    fake.state.break_streams();
    fake.state.until("it is undone", |book| book.ended == [("ann".to_owned(), LOST)]).await?;
    assert_eq!(fake.state.read(|book| (book.registered.len(), place(book, "ann"))), (1, None));
    Ok(())
}

#[tokio::test]
async fn broken_streams_and_new_leaders_cost_nobody_a_registration() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let room = Room::open(&fake).await?;
    let faults = [Fault::BreakBefore, Fault::BreakAfter, Fault::BreakAfter, Fault::Silence];
    fake.state.change(|book| book.faults.extend(faults));
    let all = users(2_000);
    let fail_over = async {
        fake.state.until("a frame hangs", |book| book.faults.is_empty()).await?;
        fake.state.change(|book| book.leader = Some(2));
        fake.kill(0).await
    };
    let (connections, failed_over) = tokio::join!(room.connect_all(&all), fail_over);
    failed_over?;
    assert_eq!(connections?.len(), 2_000);
    assert_eq!(fake.state.read(|book| (book.registered.len(), book.count(1))), (2_000, 2_000));
    Ok(())
}

#[tokio::test]
async fn a_lost_lease_is_followed_by_another_life_in_which_all_are_claimed_again() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    let connections = room.connect_all(&users(1_500)).await?;
    connections[0].bind(vec!["news".into()]).await?;
    // One of them connects elsewhere while the lease is lost.
    fake.state.change(|book| {
        book.closed.push(1);
        book.register_elsewhere("user-7", 99);
    });
    assert_eq!(room.next_life().await?, Lost::Ended);
    let GatewayEvent::Displaced { key, connection, by } = room.event().await? else { anyhow::bail!("stolen") };
    assert_eq!((key.to_string(), connection, by.incarnation), ("user-7".into(), "of-user-7".into(), 99));
    room.reregistered().await?;
    let next = room.gateway.opened().await?;
    fake.state.read(|book| {
        assert_eq!((book.count(next), place(book, "user-7")), (1_499, Some(99)));
        let held = book.live("user-0").expect("registered");
        assert_eq!((&held.register.topics[..], held.register.flushed.is_some()), (&["news".into()][..], true));
        assert!(book.opens.iter().all(|it| it.flush_total == 0 || it.former_state_id == book.state_id));
    });
    assert_eq!((room.gateway.status().connections, room.gateway.status().pending), (1_499, 0));
    Ok(())
}

#[tokio::test]
async fn another_history_gets_everything_again_and_hears_when_that_is_done() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    let _connections = room.connect_all(&users(3_000)).await?;
    let former = fake.state.read(|book| book.state_id);
    fake.state.change(|book| {
        book.rebuild();
        book.arrived.clear();
        book.opens.clear();
    });
    fake.state.break_streams();
    assert_eq!(room.next_life().await?, Lost::Rebuilt);
    room.reregistered().await?;
    let is_done = |book: &Book| book.arrived.iter().any(|frame| frame.flush_remaining == Some(0));
    fake.state.until("the gateway says that it is done", is_done).await?;
    fake.state.read(|book| {
        let open = book.opens.last().expect("opened again");
        assert_eq!((open.former_state_id, open.flush_total), (former, 3_000));
        assert_eq!(book.count(1), 3_000);
        let remaining: Vec<_> = book.arrived.iter().filter_map(|frame| frame.flush_remaining).collect();
        assert!(remaining.is_sorted_by(|a, b| a >= b) && remaining.first() == Some(&3_000), "{remaining:?}");
        assert!(book.sessions.values().all(|held| held.register.flushed.is_some()));
    });
    Ok(())
}

#[tokio::test]
async fn connections_come_again_at_the_rate_that_was_set() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::builder().endpoints(&fake.endpoints).seed(1).connect().await?;
    let (gateway, mut events) = keeper.instance("room", "room-1").gateway().reregister_rate(400).start();
    let _connections = try_join_all(users(300).iter().map(|user| gateway.connect(registration(user)))).await?;
    fake.state.change(|book| book.closed.push(1));
    loop {
        if let Some(GatewayEvent::Opened { incarnation: 2 }) = timeout(PATIENCE, events.next()).await? {
            break;
        }
    }
    let begun = Instant::now();
    let Some(GatewayEvent::Reregistered { .. }) = timeout(PATIENCE, events.next()).await? else {
        anyhow::bail!("not all")
    };
    assert!(begun.elapsed() > Duration::from_millis(600), "300 in {:?}", begun.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_name_belongs_to_the_newest_process() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut old = Room::open(&fake).await?;
    let held = old.connect("ann").await?;
    // The process restarts in place before its lease has run out.
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let (restarted, mut events) = keeper.instance("room", "room-1").gateway().start();
    assert!(matches!(timeout(PATIENCE, events.next()).await?, Some(GatewayEvent::Opened { incarnation: 2 })));
    assert_eq!(fake.state.read(|book| place(book, "ann")), None, "nothing is kept by accident");
    assert!(matches!(old.event().await?, GatewayEvent::Lost { incarnation: 1, reason: Lost::Ended }));
    assert!(matches!(old.event().await?, GatewayEvent::Replaced { by: 2 }));
    assert!(timeout(PATIENCE, old.events.next()).await?.is_none());
    assert_eq!(held.bind(vec!["news".into()]).await.expect_err("it has ended").reason(), "ended");
    let opened = fake.state.read(|book| (book.opened.clone(), book.opens[1].former_state_id));
    assert_eq!((opened, restarted.status().incarnation), ((vec![1, 2], 0), Some(2)));
    Ok(())
}

#[tokio::test]
async fn a_lease_whose_answer_was_lost_is_found_again() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    fake.state.change(|book| book.lose_open = Some(()));
    let room = Room::open(&fake).await?;
    let _ann = room.connect("ann").await?;
    assert_eq!(fake.state.read(|book| book.opened.clone()), [1]);
    Ok(())
}

#[tokio::test]
async fn a_kick_is_confirmed_when_its_connection_is_closed_and_not_before() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    let (ann, bob) = (room.connect("ann").await?, room.connect("bob").await?);
    fake.state.change(|book| book.end_by_kick("ann"));
    let GatewayEvent::Kicked { connection, reason, author, .. } = room.event().await? else { anyhow::bail!("no kick") };
    assert_eq!((connection, reason.as_str(), author.as_str()), ("of-ann".into(), "spam", "ops"));
    // Frames go by, and the connection is still open.
    bob.bind(vec!["news".into()]).await?;
    assert_eq!((fake.state.read(confirmed), ann.epoch()), (0, None));
    drop(ann);
    fake.state
        .until("the kick is confirmed, without another frame to travel with", |book| confirmed(book) == 1)
        .await?;
    assert!(fake.state.read(|book| book.ended.is_empty()), "there was nothing to give up");
    Ok(())
}

#[tokio::test]
async fn a_slow_application_is_told_of_every_end_once() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    let all = users(3_000);
    let mut connections: BTreeMap<_, _> = all.iter().cloned().zip(room.connect_all(&all).await?).collect();
    for (number, user) in all.iter().enumerate() {
        fake.state.change(|book| book.end_by_kick(user));
        if number % 500 == 0 {
            fake.state.break_streams();
        }
    }
    // More than may wait unconfirmed: what is beyond the bound is read when earlier connections have been closed.
    let mut told = Vec::new();
    while told.len() < all.len() {
        let GatewayEvent::Kicked { key, .. } = room.event().await? else { anyhow::bail!("no kick") };
        told.push(key.to_string());
        drop(connections.remove(&key.to_string()));
    }
    fake.state.until("all are confirmed", |book| confirmed(book) == 3_000).await?;
    let mut expected = all;
    expected.sort();
    told.sort();
    assert_eq!(told, expected);
    Ok(())
}

#[tokio::test]
async fn missed_notices_are_made_up_for_by_comparing() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    let mut connections = room.connect_all(&users(2_500)).await?;
    fake.state.change(|book| {
        book.register_elsewhere("user-3", 99);
        book.end_by_kick("user-2400");
        book.notices_floor = book.notices.len();
    });
    fake.state.break_streams();
    let mut ended = Vec::new();
    for _ in 0..2 {
        let event = room.event().await?;
        if let GatewayEvent::Displaced { key, by, .. } = event {
            ended.push((key.to_string(), by.incarnation));
        } else if let GatewayEvent::Kicked { key, reason, .. } = event {
            assert_eq!(reason, "", "nobody remembers");
            ended.push((key.to_string(), 0));
        }
    }
    ended.sort();
    assert_eq!(ended, [("user-2400".to_owned(), 0), ("user-3".to_owned(), 99)]);
    connections.retain(|it| it.epoch().is_some());
    assert_eq!((connections.len(), room.gateway.status().registered), (2_498, 2_498));
    Ok(())
}

#[tokio::test]
async fn a_device_that_comes_back_displaces_its_old_connection() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    let old = room.connect("ann").await?;
    let new = room.gateway.connect(registration("ann").connection("new")).await?;
    let GatewayEvent::Displaced { connection, by, .. } = room.event().await? else { anyhow::bail!("not told") };
    assert_eq!((connection, by.connection, by.incarnation), ("of-ann".into(), "new".into(), 1));
    drop(old);
    new.bind(vec!["news".into()]).await?;
    assert_eq!(fake.state.read(|book| (place(book, "ann"), book.ended.len())), (Some(1), 0));
    Ok(())
}

#[tokio::test]
async fn what_the_registry_does_not_take_is_told_to_whom_it_concerns() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    fake.state.change(|book| book.refuse.insert("ann".into(), "quota"));
    let error = room.gateway.connect(registration("ann")).await.expect_err("refused");
    assert_eq!(error.reason(), "quota");
    let _bob = room.connect("bob").await?;
    fake.state.change(|book| {
        book.refuse.insert("bob".into(), "quota");
        book.closed.push(1);
    });
    room.next_life().await?;
    let GatewayEvent::Refused { key, error, .. } = room.event().await? else { anyhow::bail!("not refused") };
    assert_eq!((key.to_string(), error.reason()), ("bob".into(), "quota"));
    Ok(())
}

#[tokio::test]
async fn a_drain_is_answered_when_the_application_says_so() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let mut room = Room::open(&fake).await?;
    for action in ["drain", "reload"] {
        room.keeper.controls().send(SendControl { action: action.into(), ..SendControl::default() }).await?;
    }
    let GatewayEvent::Drain(drain) = room.event().await? else { anyhow::bail!("no drain") };
    let GatewayEvent::Control(reload) = room.event().await? else { anyhow::bail!("nothing else") };
    assert_eq!((reload.action.as_str(), fake.state.read(|book| book.controls.len())), ("reload", 2));
    drain.acknowledge(Answer::Done).await?;
    assert_eq!(fake.state.read(|book| book.controls.len()), 1);
    Ok(())
}

#[tokio::test]
async fn a_gateway_ends_with_its_last_handle() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let Room { keeper, gateway, events } = Room::open(&fake).await?;
    let ann = gateway.connect(registration("ann")).await?;
    drop((gateway, events, keeper));
    assert!(ann.epoch().is_some(), "a connection holds it");
    drop(ann);
    fake.state.until("the lease is closed", |book| book.closed == [1]).await
}
