//! Lookups share frames and survive their streams.

use futures_util::future::try_join_all;
use keeper_client_sdk::{Consistency, Keeper, Route, SessionKey, limits};

use crate::fake::Fake;

fn key(number: usize) -> SessionKey {
    let name = if number.is_multiple_of(2) { format!("user-{number}") } else { format!("nobody-{number}") };
    SessionKey::of_user(name).expect("a short name")
}

#[tokio::test]
async fn each_question_gets_its_own_answer() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let lookup = Keeper::connect(&fake.endpoints).await?.lookup();
    let keys: Vec<_> = (0..3_000).map(key).collect();
    let looked = try_join_all(keys.iter().map(|key| lookup.session(key))).await?;
    for (number, (key, looked)) in keys.iter().zip(&looked).enumerate() {
        let found = looked.found.as_ref().map(|it| &it.key);
        assert_eq!(found, number.is_multiple_of(2).then_some(key));
    }
    assert!(fake.state.read(|book| book.lookup_frames.len()) < 50);
    let first = looked[0].found.as_ref().map(|it| it.owner.endpoints.clone());
    assert_eq!(first, Some(vec!["room:1".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn kinds_of_questions_mix_in_one_frame() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let lookup = Keeper::connect(&fake.endpoints).await?.lookup();
    let keys: Vec<_> = (0..limits::FRAME_OPERATIONS_MAX + 10).map(key).collect();
    let (one, other) = (key(2), key(3));
    let (many, user, one, other) =
        tokio::join!(lookup.many(&keys), lookup.user("u"), lookup.session(&one), lookup.session(&other));
    assert_eq!(many?.found.iter().filter(|it| it.is_some()).count(), keys.len() / 2);
    assert_eq!(user?.found.len(), 2);
    assert_eq!((one?.found.is_some(), other?.found.is_some()), (true, false));
    let sizes = fake.state.read(|book| book.lookup_frames.clone());
    assert!(sizes.iter().all(|it| *it <= limits::FRAME_OPERATIONS_MAX), "{sizes:?}");
    Ok(())
}

#[tokio::test]
async fn a_dead_node_is_passed_over() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let keeper = Keeper::builder().endpoint(&fake.endpoints[1]).connect().await?;
    let lookup = keeper.lookup().consistency(Consistency::Local).route(Route::AnyNode);
    assert!(lookup.session(&key(0)).await?.found.is_some());
    fake.kill(1).await?;
    assert!(lookup.session(&key(2)).await?.found.is_some());
    Ok(())
}

#[tokio::test]
async fn a_broken_stream_is_asked_again() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let lookup = Keeper::connect(&fake.endpoints).await?.lookup();
    for number in 0..20 {
        fake.state.break_streams();
        assert!(lookup.session(&key(number * 2)).await?.found.is_some());
    }
    Ok(())
}
