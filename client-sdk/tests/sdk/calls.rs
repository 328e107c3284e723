//! Unary calls: who is asked, what is asked again, what a caller is told.

use std::time::Duration;

use keeper_client_sdk::{Edit, Endpoint, InitialMember, Keeper, Kick};

use crate::fake::Fake;

#[tokio::test]
async fn one_node_is_enough_to_find_the_leader() -> anyhow::Result<()> {
    let fake = Fake::start(3).await?;
    let keeper = Keeper::connect([&fake.endpoints[2]]).await?;
    keeper.configs().publish(Edit::put("a.json", "1")).await?;
    assert_eq!(keeper.leader().map(|it| it.to_string()), Some(fake.endpoints[0].clone()));
    assert_eq!(keeper.endpoints().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_write_waits_for_a_leader() -> anyhow::Result<()> {
    let fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    fake.state.change(|book| book.leader = None);
    let sessions = keeper.sessions();
    let kick = sessions.kick(Kick { user: "u".into(), ..Kick::default() });
    let elect = async {
        tokio::task::yield_now().await;
        fake.state.change(|book| book.leader = Some(1));
    };
    let (kicked, ()) = tokio::join!(kick, elect);
    kicked?;
    assert_eq!(keeper.leader().map(|it| it.to_string()), Some(fake.endpoints[1].clone()));
    Ok(())
}

#[tokio::test]
async fn a_publish_whose_answer_was_lost_happens_once() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    fake.state.change(|book| book.lose_publish = Some(()));
    let published = keeper.configs().publish(Edit::put("a.json", "1")).await?;
    assert_eq!(fake.state.read(|book| (book.revision, book.publishes.len())), (published.revision, 1));
    Ok(())
}

#[tokio::test]
async fn nobody_there_is_told_within_the_timeout() -> anyhow::Result<()> {
    let mut fake = Fake::start(1).await?;
    fake.kill(0).await?;
    let builder = Keeper::builder().endpoints(&fake.endpoints).operation_timeout(Duration::from_millis(300));
    let error = builder.connect().await.expect_err("nobody listens");
    assert_eq!((error.reason(), error.is_retryable(), error.may_have_happened()), ("unreachable", true, false));
    assert!(error.to_string().contains("refused"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_told_as_it_is() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let endpoint = Endpoint::parse(&fake.endpoints[0])?;
    let member = InitialMember { node_id: 1, peer_endpoint: "a:1".into(), client_endpoint: "a:2".into() };
    let error = keeper.cluster().initialize(&endpoint, "fake", vec![member]).await.expect_err("it has a log");
    assert_eq!((error.reason(), error.is_retryable()), ("already-founded", false));
    let error = keeper.configs().lint("a.json", None, "{").await.expect_err("unsound");
    assert_eq!((error.reason(), error.to_string()), ("syntax", "refused by the double: syntax".to_owned()));
    Ok(())
}

#[tokio::test]
async fn every_node_tells_its_status() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    fake.kill(2).await?;
    let statuses = keeper.cluster().status().await;
    let told: Vec<_> = statuses.iter().map(|(endpoint, status)| (endpoint.to_string(), status.is_ok())).collect();
    let expected: Vec<_> = fake.endpoints.iter().cloned().zip([true, true, false]).collect();
    assert_eq!(told, expected);
    Ok(())
}
