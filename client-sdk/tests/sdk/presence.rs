//! Presence is told once and whole, whichever nodes tell it.

use std::time::Duration;

use keeper_client_sdk::{Keeper, Presence, PresenceEvent, Subscription};
use tokio::time::{Instant, timeout};

use crate::fake::Fake;

/// The next event, as a word: a user, or `reset`.
async fn next(presence: &mut Presence) -> anyhow::Result<String> {
    match timeout(Duration::from_secs(20), presence.next()).await?.transpose()? {
        Some(PresenceEvent::Fact(fact)) => Ok(fact.key.to_string()),
        Some(PresenceEvent::Reset) => Ok("reset".into()),
        None => anyhow::bail!("the stream ended"),
    }
}

async fn words(presence: &mut Presence, count: usize) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..count {
        words.push(next(presence).await?);
    }
    Ok(words)
}

fn users(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("u{number}")).collect()
}

fn come(fake: &Fake, range: std::ops::Range<usize>) {
    fake.state.change(|book| users(range).iter().for_each(|user| book.comes(user)));
}

#[tokio::test]
async fn facts_come_once_across_breaks_and_deaths() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    come(&fake, 0..5);
    let mut presence = keeper.presence(Subscription::all());
    presence.opened().await?;
    for round in 1..8 {
        come(&fake, round * 10..round * 10 + 10);
        let mut told = words(&mut presence, 4).await?;
        match round {
            3 | 5 => fake.state.break_streams(),
            6 => {
                let home = fake.state.read(|book| book.subscriptions.last().map(|it| it.0)).unwrap_or_default();
                fake.state.change(|book| book.leader = Some((home + 1) % 3));
                fake.kill(home).await?;
            }
            _ => {}
        }
        told.extend(words(&mut presence, 6).await?);
        assert_eq!(told, users(round * 10..round * 10 + 10));
    }
    Ok(())
}

#[tokio::test]
async fn another_process_goes_on_from_a_token() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let mut presence = keeper.presence(Subscription::all());
    let start = presence.opened().await?;
    come(&fake, 0..7);
    let Some(frame) = presence.frame().await.transpose()? else { anyhow::bail!("the stream ended") };
    let told = frame.facts.len();
    assert_eq!(&frame.token, presence.token());
    assert_eq!(frame.revision, frame.facts.last().map_or(0, |it| it.revision), "the last entry may have more");
    drop(presence);
    for (token, first) in [(frame.token, told), (start, 0)] {
        let mut again = keeper.presence(Subscription::all().after(token));
        assert_eq!(words(&mut again, 7 - first).await?, users(first..7));
        assert!(!again.token().is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_node_that_forgot_is_not_believed_while_another_remembers() -> anyhow::Result<()> {
    let fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let mut presence = keeper.presence(Subscription::all());
    presence.opened().await?;
    fake.state.break_streams();
    fake.state.change(|book| {
        (0..9).for_each(|number| book.comes(&format!("u{number}")));
        // All but one have forgotten.
        let home = book.subscriptions.last().map_or(0, |it| it.0);
        book.floors = (0..3).filter(|it| *it != (home + 2) % 3).map(|node| (node, 5)).collect();
    });
    assert_eq!(words(&mut presence, 9).await?, users(0..9));
    Ok(())
}

#[tokio::test]
async fn a_reset_is_told_once_and_a_walk_makes_up_for_it() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let mut presence = keeper.presence(Subscription::user_prefix("u"));
    presence.opened().await?;
    let home = fake.state.read(|book| book.subscriptions.last().map_or(0, |it| it.0));
    fake.kill((home + 1) % 3).await?;
    fake.state.break_streams();
    fake.state.change(|book| {
        (0..9).for_each(|number| book.comes(&format!("u{number}")));
        book.users = (0..9).map(|number| (format!("u{number}"), number + 1)).collect();
        book.floors = (0..3).map(|node| (node, 5)).collect();
    });
    assert_eq!(next(&mut presence).await?, "reset");
    let mut walk = presence.resync();
    let mut known = Vec::new();
    while let Some(session) = walk.next().await.transpose()? {
        known.push(session.key.to_string());
    }
    assert_eq!(known, users(0..9));
    assert!(fake.state.read(|book| book.walks[0].1.selector.as_ref().is_some_and(|it| it.user_prefix == "u")));
    assert!(fake.state.read(|book| book.walks.iter().all(|it| it.1.lingering)), "what the facts go on from");
    come(&fake, 9..12);
    assert_eq!(words(&mut presence, 3).await?, users(9..12));
    Ok(())
}

#[tokio::test]
async fn a_node_that_keeps_silent_is_left() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let mut presence = keeper.presence(Subscription::all());
    presence.opened().await?;
    let mute_at = Instant::now();
    fake.state.change(|book| book.mute = vec![book.subscriptions[0].0]);
    come(&fake, 0..1);
    assert_eq!(next(&mut presence).await?, "u0");
    assert!(mute_at.elapsed() < Duration::from_secs(5), "left after {:?}", mute_at.elapsed());
    let nodes = fake.state.read(|book| book.subscriptions.iter().map(|it| it.0).collect::<Vec<_>>());
    assert_ne!(nodes[0], nodes[1]);
    Ok(())
}
