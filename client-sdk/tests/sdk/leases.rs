//! A lease is believed for a TTL after the sending of its last acknowledged renewal, and not a moment longer.

use std::time::Duration;

use keeper_client_sdk::{Keeper, Lost};
use tokio::time::{Instant, timeout};

use crate::fake::{Fake, state::Renewals};

const TTL: Duration = Duration::from_millis(600);

#[tokio::test]
async fn renewals_keep_every_lease_of_a_client() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let first = keeper.instance("room", "room-1").ttl(TTL).open().await?;
    let second = keeper.instance("room", "room-2").ttl(TTL).open().await?;
    let often = |book: &crate::fake::state::Book, number| book.renewed.iter().filter(|it| **it == number).count() >= 6;
    fake.state.until("both are renewed", |book| often(book, 1) && often(book, 2)).await?;
    assert!(first.is_held() && second.is_held());
    Ok(())
}

#[tokio::test]
async fn a_lease_follows_the_leader() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let instance = keeper.instance("room", "room-1").ttl(TTL).open().await?;
    fake.state.until("it is renewed", |book| !book.renewed.is_empty()).await?;
    fake.state.change(|book| book.leader = Some(1));
    fake.kill(0).await?;
    let before = fake.state.read(|book| book.renewed.len());
    fake.state.until("it is renewed elsewhere", |book| book.renewed.len() > before + 3).await?;
    assert!(instance.is_held());
    Ok(())
}

#[tokio::test]
async fn a_lease_the_cluster_ended_is_lost() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let instance = keeper.instance("room", "room-1").ttl(TTL).open().await?;
    fake.state.change(|book| book.renewals = Renewals::Lost);
    assert_eq!(timeout(TTL * 2, instance.lost()).await?, Lost::Ended);
    Ok(())
}

#[tokio::test]
async fn a_lease_nobody_acknowledges_is_lost_after_its_ttl() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    fake.state.change(|book| book.renewals = Renewals::Silent);
    let opening_at = Instant::now();
    let instance = keeper.instance("room", "room-1").ttl(TTL).open().await?;
    let opened_at = Instant::now();
    assert_eq!(timeout(TTL * 3, instance.lost()).await?, Lost::Silence);
    assert!(opening_at.elapsed() >= TTL, "lost too early");
    assert!(opened_at.elapsed() < TTL + Duration::from_millis(200), "believed for {:?}", opened_at.elapsed());
    fake.state.until("it is closed in case somebody listens", |book| book.closed == [1]).await
}

#[tokio::test]
async fn dropping_an_instance_closes_it() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    drop(keeper.instance("room", "room-1").open().await?);
    fake.state.until("it is closed", |book| book.closed == [1]).await
}

#[tokio::test]
async fn closing_an_instance_waits_for_it() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let instance = keeper.instance("room", "room-1").open().await?;
    let lost = instance.lost();
    instance.close().await?;
    assert_eq!(fake.state.read(|book| book.closed.clone()), [1]);
    assert_eq!(lost.await, Lost::Closed);
    Ok(())
}
