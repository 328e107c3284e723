//! Cached answers cost no call, and are never older than their bound.

use std::time::Duration;

use keeper_client_sdk::{CacheSettings, CachedLookup, Keeper, SessionKey};
use tokio::time::{Instant, timeout};

use crate::fake::Fake;

const BOUND: Duration = Duration::from_secs(1);

async fn cached(fake: &Fake) -> anyhow::Result<CachedLookup> {
    let settings = CacheSettings { age_max: BOUND, ..CacheSettings::default() };
    Ok(Keeper::connect(&fake.endpoints).await?.lookup().cached(settings)?)
}

/// Asks until an answer comes from memory.
async fn warm(cached: &CachedLookup, user: &'static str) -> anyhow::Result<()> {
    asks_until(cached, user, |before, after| after.hits > before.hits).await
}

async fn asks_until(
    cached: &CachedLookup,
    user: &'static str,
    holds: impl Fn(keeper_client_sdk::CacheStats, keeper_client_sdk::CacheStats) -> bool,
) -> anyhow::Result<()> {
    let asking = async {
        loop {
            let before = cached.stats();
            anyhow::ensure!(cached.user(user).await?.age <= BOUND, "older than the bound");
            if holds(before, cached.stats()) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), asking).await?
}

fn questions(fake: &Fake) -> usize {
    fake.state.read(|book| book.lookup_frames.iter().sum())
}

#[tokio::test]
async fn a_hit_costs_no_call_and_a_fact_ends_it() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let cached = cached(&fake).await?;
    warm(&cached, "u1").await?;
    warm(&cached, "u2").await?;
    let before = questions(&fake);
    let started_at = Instant::now();
    let mut hits = 0;
    // Longer than the bound: presence shows that the answers still hold.
    while started_at.elapsed() < BOUND * 2 {
        let looked = cached.user("u1").await?;
        assert!(looked.found.len() == 2 && looked.age <= BOUND);
        hits += 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(questions(&fake), before, "{hits} hits");
    fake.state.change(|book| book.comes("u1"));
    asks_until(&cached, "u1", |before, after| after.misses > before.misses).await?;
    assert_eq!(questions(&fake), before + 1);
    let pad = SessionKey::new("u2", "pad")?;
    assert!(cached.session(&pad).await?.found.is_some_and(|it| it.key == pad));
    assert_eq!(questions(&fake), before + 1, "u2 was not touched");
    Ok(())
}

#[tokio::test]
async fn answers_survive_a_node_and_not_a_reset() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let cached = cached(&fake).await?;
    warm(&cached, "u1").await?;
    let home = fake.state.read(|book| book.subscriptions.last().map_or(0, |it| it.0));
    fake.state.change(|book| book.leader = Some((home + 1) % 3));
    fake.kill(home).await?;
    asks_until(&cached, "u1", |_, after| after.age.is_some_and(|age| age < BOUND / 2)).await?;
    assert_eq!((cached.stats().users, cached.stats().resets), (1, 0));
    fake.state.break_streams();
    fake.state.change(|book| {
        (0..9).for_each(|_| book.comes("u9"));
        book.floors = (0..3).map(|node| (node, 9)).collect();
    });
    asks_until(&cached, "u1", |_, after| after.resets == 1).await?;
    warm(&cached, "u1").await
}

#[tokio::test]
async fn without_word_from_the_cluster_answers_grow_too_old() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let cached = cached(&fake).await?;
    warm(&cached, "u1").await?;
    fake.state.change(|book| {
        book.mute = vec![0, 1];
        // Something happens, and nobody tells what.
        book.revision += 1;
    });
    let mute_at = Instant::now();
    let before = questions(&fake);
    asks_until(&cached, "u1", |before, after| after.misses > before.misses).await?;
    assert!(mute_at.elapsed() <= BOUND + Duration::from_millis(500), "a hit after {:?}", mute_at.elapsed());
    assert_eq!(questions(&fake), before + 1);
    Ok(())
}

#[tokio::test]
async fn topics_are_told_apart_in_memory() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let settings = CacheSettings { age_max: BOUND, ..CacheSettings::default() };
    let lookup = Keeper::connect(&fake.endpoints).await?.lookup();
    let red = lookup.clone().topic("red")?.cached(settings)?;
    assert_eq!(red.user("u1").await?.found.len(), 0, "bound to nothing");
    let refused = lookup.cached(CacheSettings { age_max: BOUND / 2, ..settings });
    assert_eq!(refused.err().map(|it| it.reason().to_owned()), Some("invalid".into()));
    Ok(())
}
