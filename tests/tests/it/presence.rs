//! Who came, who left, who moved, through a real cluster.

use std::collections::BTreeMap;

use bytes::Bytes;
use keeper_client_sdk::{
    Config, Edit, Format, FormerState, Instance, Keeper, OfflineReason, Presence, PresenceChange, PresenceEvent,
    PresenceFact, PresenceScope, Registration, SessionKey, Subscription,
};
use keeper_proto::v1 as wire;
use keeper_proto::v1::sessions_client::SessionsClient;
use keeper_tests::{InProcess, until, until_some};

use crate::wire as raw;

fn user(name: &str) -> SessionKey {
    SessionKey::of_user(name.to_owned()).expect("a user")
}

/// Publishes the session policy.
pub(crate) async fn policy(keeper: &Keeper, text: &str) {
    keeper
        .configs()
        .publish(Edit::put("keeper/sessions", text).format(Format::Toml))
        .await
        .expect("the policy is published");
}

async fn fact(presence: &mut Presence) -> PresenceFact {
    match presence.next().await {
        Some(Ok(PresenceEvent::Fact(fact))) => fact,
        other => panic!("a fact: {other:?}"),
    }
}

/// In a word, with the place.
fn brief(fact: &PresenceFact) -> String {
    let place = &fact.place.instance;
    match &fact.change {
        PresenceChange::Online => format!("online {place}"),
        PresenceChange::Offline(OfflineReason::Left) => format!("left {place}"),
        PresenceChange::Offline(OfflineReason::Lost) => format!("lost {place}"),
        PresenceChange::Offline(OfflineReason::Kicked { reason, .. }) => format!("kicked {reason}"),
        PresenceChange::Offline(reason) => format!("{reason:?}"),
        PresenceChange::Moved(from) => format!("moved {} {place}", from.place.instance),
        PresenceChange::Reconnected(_) => format!("reconnected {place}"),
        PresenceChange::Dropped(_) => format!("dropped {place}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_subscriber_is_told_what_it_asked_for_in_the_order_of_the_log() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let mut all = keeper.presence(Subscription::all());
    let mut news = keeper.presence(Subscription::topic("news"));
    let mut of_b = keeper.presence(Subscription::instance("room/b"));
    let mut prefix = keeper.presence(Subscription::user_prefix("ev").with_reconnects());
    for stream in [&mut all, &mut news, &mut of_b, &mut prefix] {
        stream.opened().await.unwrap();
    }
    let a = keeper.instance("room", "a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    let (eve, ada) = (user("eve"), user("ada"));
    let first = a.sessions().register(Registration::new(eve.clone()).topic("news")).await.unwrap();
    let second = a.sessions().register(Registration::new(eve.clone()).connection("2").topic("news")).await.unwrap();
    assert!(second.epoch > first.epoch);
    let third = b.sessions().register(Registration::new(eve.clone()).topic("news")).await.unwrap();
    b.sessions().unbind(&eve, third.epoch, vec!["news".into()]).await.unwrap();
    b.sessions().register(Registration::new(ada.clone())).await.unwrap();
    b.sessions().unregister(&eve, third.epoch).await.unwrap();

    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(brief(&fact(&mut all).await));
    }
    assert_eq!(told, ["online a", "moved a b", "online b", "left b"]);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(brief(&fact(&mut news).await));
    }
    assert_eq!(told, ["online a", "moved a b", "Unbound"]);
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(brief(&fact(&mut of_b).await));
    }
    assert_eq!(told, ["moved a b", "online b", "left b"]);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(brief(&fact(&mut prefix).await));
    }
    assert_eq!(told, ["online a", "reconnected a", "moved a b", "left b"]);
}

const USERS: usize = 20;
const ROUNDS: usize = 12;
const PLACES: [&str; 2] = ["a", "b"];

/// Where a user registers in a round, and whether it leaves afterwards.
const fn step(round: usize, n: usize) -> (usize, bool) {
    ((round + n) % 2, (round + n).is_multiple_of(3))
}

async fn churn(rooms: &[Instance; 2]) {
    for (round, n) in (0..ROUNDS).flat_map(|round| (0..USERS).map(move |n| (round, n))) {
        let (key, (place, leaves)) = (user(&format!("u{n}")), step(round, n));
        let sessions = rooms[place].sessions();
        let registered = sessions.register(Registration::new(key.clone())).await.unwrap();
        if leaves {
            sessions.unregister(&key, registered.epoch).await.unwrap();
        }
    }
    rooms[0].sessions().register(Registration::new(user(THE_END))).await.unwrap();
}

const THE_END: &str = "the-end";

/// What the churn makes of each user.
fn made_by_churn() -> BTreeMap<String, Vec<String>> {
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut at: BTreeMap<usize, usize> = BTreeMap::new();
    for (round, n) in (0..ROUNDS).flat_map(|round| (0..USERS).map(move |n| (round, n))) {
        let (place, leaves) = step(round, n);
        let told = expected.entry(format!("u{n}")).or_default();
        match at.insert(n, place) {
            None => told.push(format!("online {}", PLACES[place])),
            Some(before) if before != place => told.push(format!("moved {} {}", PLACES[before], PLACES[place])),
            Some(_) => {}
        }
        if leaves {
            told.push(format!("left {}", PLACES[place]));
            at.remove(&n);
        }
    }
    expected
}

/// Reads to the end of the churn, every few facts as another process and through another node, one of which is killed.
async fn read_in_pieces(cluster: &mut InProcess, mut token: Bytes) -> Vec<PresenceFact> {
    let (mut facts, mut killed): (Vec<PresenceFact>, _) = (Vec::new(), None);
    for turn in 0.. {
        if killed.is_none() && facts.len() > 60 {
            let leader = cluster.leader().await;
            cluster.crash(leader);
            killed = Some(leader);
        }
        let at = (0..3).map(|step| (turn + step) % 3).find(|at| Some(*at) != killed).expect("a live node");
        let mut presence = cluster.client(at).await.presence(Subscription::all().after(token.clone()));
        for _ in 0..3 {
            let frame = presence.frame().await.expect("it goes on").unwrap();
            assert!(!frame.reset, "everything is in the ring");
            facts.extend(frame.facts);
            token = frame.token;
            if facts.last().is_some_and(|fact| &fact.key.user()[..] == THE_END.as_bytes()) {
                facts.pop();
                return facts;
            }
        }
    }
    facts
}

/// emqx#12954, "known, won't fix": the offline of an old connection after the online of the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_from_its_token_on_any_node_without_gap_or_duplicate() {
    let mut cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let token = keeper.presence(Subscription::all()).opened().await.unwrap();
    let rooms = [
        keeper.instance("room", PLACES[0]).open().await.unwrap(),
        keeper.instance("room", PLACES[1]).open().await.unwrap(),
    ];
    let ((), facts) = tokio::join!(churn(&rooms), read_in_pieces(&mut cluster, token));
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for fact in &facts {
        told.entry(String::from_utf8_lossy(fact.key.user()).into_owned()).or_default().push(brief(fact));
    }
    assert_eq!(told, made_by_churn());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flash_disconnect_is_hidden_for_the_grace_of_each_topic() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    policy(&keeper, "grace_ms = 0\n[topics.chat]\ngrace_ms = 60000\n[topics.short]\ngrace_ms = 300\n").await;
    let mut all = keeper.presence(Subscription::all());
    let mut news = keeper.presence(Subscription::topic("news"));
    let mut chat = keeper.presence(Subscription::topic("chat"));
    for stream in [&mut all, &mut news, &mut chat] {
        stream.opened().await.unwrap();
    }
    let a = keeper.instance("room", "a").endpoint("ws://a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    let key = user("eve");
    let registration = || Registration::new(key.clone()).topic("news").topic("chat");
    let first = a.sessions().register(registration()).await.unwrap();
    a.sessions().dropped(&key, first.epoch).await.unwrap();

    // Nobody's session, but a sender may wait for it.
    let looked = keeper.lookup().session(&key).await.unwrap();
    assert!(looked.found.is_none());
    let formerly = looked.formerly.first().expect("it lingers");
    assert_eq!(formerly.session.owner.endpoints, ["ws://a"]);
    assert!(matches!(formerly.state, FormerState::Lingering { until_ms } if until_ms > 0));

    b.sessions().register(registration()).await.unwrap();
    assert_eq!([brief(&fact(&mut all).await), brief(&fact(&mut all).await)], ["online a", "moved a b"]);
    assert_eq!([brief(&fact(&mut chat).await), brief(&fact(&mut chat).await)], ["online a", "moved a b"]);
    // Those without a grace were told at once.
    let told = [brief(&fact(&mut news).await), brief(&fact(&mut news).await), brief(&fact(&mut news).await)];
    assert_eq!(told, ["online a", "lost a", "online b"]);

    // One that does not come back is gone when its grace has passed, in an idle cluster too.
    let brief_stay = user("joe");
    let joe = b.sessions().register(Registration::new(brief_stay.clone()).topic("short")).await.unwrap();
    assert_eq!(brief(&fact(&mut all).await), "online b");
    b.sessions().dropped(&brief_stay, joe.epoch).await.unwrap();
    assert_eq!(brief(&fact(&mut all).await), "lost b");
    let looked = keeper.lookup().session(&brief_stay).await.unwrap();
    assert!(looked.found.is_none() && looked.formerly.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_a_dead_gateway_linger_and_then_are_lost() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    policy(&keeper, "grace_ms = 500\n").await;
    let mut all = keeper.presence(Subscription::all());
    all.opened().await.unwrap();
    let channel = raw::leader(&cluster).await;
    let silent = raw::open(&channel, "silent", 1_500).await;
    let replies = raw::frames(&channel, vec![raw::register(&silent, 1, "ada"), raw::register(&silent, 2, "bob")]).await;
    assert!(replies.iter().all(|reply| reply.problem.is_none()));
    assert_eq!([brief(&fact(&mut all).await), brief(&fact(&mut all).await)], ["online silent", "online silent"]);
    let b = keeper.instance("room", "b").open().await.unwrap();
    until("ada lingers", async || {
        let looked = keeper.lookup().session(&user("ada")).await.unwrap();
        looked.found.is_none() && !looked.formerly.is_empty()
    })
    .await;
    b.sessions().register(Registration::new(user("ada"))).await.unwrap();
    let told = [fact(&mut all).await, fact(&mut all).await];
    assert_eq!(brief(&told[0]), "moved silent b");
    assert_eq!((brief(&told[1]).as_str(), &told[1].key.user()[..]), ("GatewayExpired", &b"bob"[..]));
    cluster.converge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_the_future_and_of_other_histories_are_told_apart() {
    let cluster = InProcess::start(1).await;
    let other = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    let foreign = other.keeper().await.presence(Subscription::all()).opened().await.unwrap();
    let mut presence = keeper.presence(Subscription::all().after(foreign));
    assert!(matches!(presence.next().await, Some(Ok(PresenceEvent::Reset))));

    // A token is a version, a state id of nine bytes, a revision and a position: the revision is put far ahead.
    let mut future = presence.opened().await.unwrap().to_vec();
    future.truncate(10);
    future.extend([0xfb, 0xff, 0x7f, 0]);
    let mut client = SessionsClient::new(raw::leader(&cluster).await);
    let request = wire::PresenceRequest { token: future.into(), ..Default::default() };
    let refused = match client.presence(request).await {
        Err(status) => status,
        Ok(stream) => stream.into_inner().message().await.expect_err("it is refused"),
    };
    assert!(refused.message().contains("token"), "{refused}");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
}

/// A reader that was away for longer than the ring reaches is told so, and finds its way back.
#[tokio::test(flavor = "multi_thread")]
async fn below_the_ring_a_stream_is_reset_and_a_scan_puts_it_right() {
    let cluster = InProcess::start_with(1, |settings| settings.presence.ring_facts_max = 1_024).await;
    let keeper = cluster.keeper().await;
    let mut presence = keeper.presence(Subscription::all());
    let token = presence.opened().await.unwrap();
    drop(presence);
    let room = keeper.instance("room", "a").open().await.unwrap();
    let sessions = room.sessions();
    let registering = (0..4_000).map(|n| sessions.register(Registration::new(user(&format!("u{n}")))));
    futures_util::future::try_join_all(registering).await.unwrap();
    let mut presence = keeper.presence(Subscription::all().after(token));
    assert!(matches!(presence.next().await, Some(Ok(PresenceEvent::Reset))));
    let mut walk = presence.resync();
    let mut known = 0;
    while let Some(session) = walk.next().await {
        session.unwrap();
        known += 1;
    }
    assert_eq!(known, 4_000);
    sessions.register(Registration::new(user("late"))).await.unwrap();
    assert_eq!(brief(&fact(&mut presence).await), "online a");
}

/// A session that lingers is in nobody's list of live ones; were it not in the walk, its return to its gateway would be
/// told to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_lingers_over_a_reset_is_known_and_its_return_changes_nothing() {
    let cluster = InProcess::start_with(1, |settings| settings.presence.ring_facts_max = 1_024).await;
    let keeper = cluster.keeper().await;
    policy(&keeper, "grace_ms = 600000\n[topics.fast]\ngrace_ms = 0\n").await;
    let room = keeper.instance("room", "a").open().await.unwrap();
    let sessions = room.sessions();
    let token = keeper.presence(Subscription::all()).opened().await.unwrap();
    let eve = Registration::new(user("eve")).topic("slow").topic("fast");
    let held = sessions.register(eve.clone()).await.unwrap();
    let registering = (0..2_000).map(|n| sessions.register(Registration::new(user(&format!("u{n}")))));
    futures_util::future::try_join_all(registering).await.unwrap();
    sessions.dropped(&user("eve"), held.epoch).await.unwrap();

    let mut all = keeper.presence(Subscription::all().after(token));
    assert!(matches!(all.next().await, Some(Ok(PresenceEvent::Reset))));
    let known = |presence: &Presence| {
        let mut walk = presence.resync();
        async move {
            let mut known = BTreeMap::new();
            while let Some(session) = walk.next().await {
                let session = session.unwrap();
                known.insert(session.key, session.epoch);
            }
            known
        }
    };
    let seen = known(&all).await;
    assert_eq!((seen.len(), seen.get(&user("eve"))), (2_001, Some(&held.epoch)));
    let mut views = Vec::new();
    for topic in ["slow", "fast"] {
        let mut presence = keeper.presence(Subscription::topic(topic));
        presence.opened().await.unwrap();
        views.push((known(&presence).await.len(), presence));
    }
    // Whoever follows the fast topic was told that she is offline.
    assert_eq!(views.iter().map(|it| it.0).collect::<Vec<_>>(), [1, 0]);
    assert!(keeper.lookup().session(&user("eve")).await.unwrap().found.is_none(), "she is not live");

    sessions.register(eve).await.unwrap();
    sessions.register(Registration::new(user("late")).topic("slow").topic("fast")).await.unwrap();
    let (_, fast) = &mut views[1];
    let (back, late) = (fact(fast).await, fact(fast).await);
    assert_eq!([brief(&back), brief(&late)], ["online a", "online a"]);
    let scopes = [back.scope, late.scope];
    assert_eq!(scopes, [PresenceScope::Topics, PresenceScope::Session]);
    // All others are told nothing of her: they knew.
    let (_, slow) = &mut views[0];
    assert_eq!([fact(&mut all).await.key, fact(slow).await.key], [user("late"), user("late")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_tells_why() {
    let cluster = InProcess::start(3).await;
    let keeper = cluster.keeper().await;
    let a = keeper.instance("room", "a").open().await.unwrap();
    let b = keeper.instance("room", "b").open().await.unwrap();
    let key = user("eve");
    a.sessions().register(Registration::new(key.clone())).await.unwrap();
    b.sessions().register(Registration::new(key.clone())).await.unwrap();
    let kick = keeper_client_sdk::Kick {
        user: "eve".into(),
        reason: "spam".to_owned(),
        author: "ops".to_owned(),
        ..Default::default()
    };
    keeper.sessions().kick(kick).await.unwrap();
    a.sessions().register(Registration::new(key.clone())).await.unwrap();
    a.close().await.unwrap();
    let told = until_some("the end is in the timeline", async || {
        let explained = keeper.sessions().explain("eve", None).await.unwrap();
        assert!(explained.facts.is_sorted_by_key(|fact| fact.revision));
        let told: Vec<_> = explained.facts.iter().map(brief).collect();
        told.last().is_some_and(|last| last.starts_with("Gateway")).then_some(told)
    })
    .await;
    assert_eq!(told, ["online a", "moved a b", "kicked spam", "online a", "dropped a", "GatewayClosed"]);
}

/// Its topics end at different times; the gateway closed once.
#[tokio::test(flavor = "multi_thread")]
async fn a_closing_is_told_once_whatever_the_graces() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    policy(&keeper, "grace_ms = 400\n[topics.fast]\ngrace_ms = 0\n").await;
    let a = keeper.instance("room", "a").open().await.unwrap();
    a.sessions().register(Registration::new(user("eve")).topic("slow").topic("fast")).await.unwrap();
    a.close().await.unwrap();
    let told = until_some("both ends are in the timeline", async || {
        let explained = keeper.sessions().explain("eve", None).await.unwrap();
        let told: Vec<_> = explained.facts.iter().map(|fact| (brief(fact), fact.scope)).collect();
        let ends = told.iter().filter(|(brief, _)| brief == "GatewayClosed").count();
        (ends == 2).then_some(told)
    })
    .await;
    let dropped = told.iter().filter(|(brief, _)| brief == "dropped a").count();
    assert_eq!(dropped, 1, "{told:?}");
    let scopes: Vec<_> = told[told.len() - 2..].iter().map(|(_, scope)| *scope).collect();
    assert_eq!(scopes, [PresenceScope::Topics, PresenceScope::Session]);
}

/// A process that follows the policy sees it change like any other document.
#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_a_document_like_any_other() {
    let cluster = InProcess::start(1).await;
    let keeper = cluster.keeper().await;
    policy(&keeper, "grace_ms = 10\n").await;
    let mut config: Config<serde_json::Value> = keeper.config("keeper/sessions").await.unwrap();
    policy(&keeper, "grace_ms = 20\n").await;
    let change = config.changed().await.unwrap();
    assert_eq!(change.fields[0].path, "grace_ms");
    let edit = Edit::put("keeper/sessions", "grace_ms = 20\nspeed = 3\n").format(Format::Toml);
    let refused = keeper.configs().publish(edit).await.expect_err("an unknown key");
    assert!(refused.to_string().contains("speed"), "{refused}");
}

/// Names of megabytes, kept for each of thousands of subscribers, would be the node's memory.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_cannot_be_is_no_subscription() {
    let cluster = InProcess::start(1).await;
    let mut client = SessionsClient::new(raw::leader(&cluster).await);
    for instance in [format!("room/{}", "a".repeat(1 << 20)), "a/b/c".to_owned(), "room".to_owned()] {
        let request = wire::PresenceRequest { instance, ..Default::default() };
        let refused = match client.presence(request).await {
            Err(status) => status,
            Ok(stream) => stream.into_inner().message().await.expect_err("it is refused"),
        };
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("instance") && refused.message().len() < 1_000, "{refused}");
    }
}
