//! Lookups share frames and survive their streams.

use futures_util::future::try_join_all;
use keeper_client_sdk::{Consistency, FormerState, Keeper, Route, SessionKey, limits};
use keeper_proto::v1::lookup_reply::Rebuilding;

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

#[tokio::test]
async fn a_topic_is_asked_for_in_frames_of_its_own() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let lookup = Keeper::connect(&fake.endpoints).await?.lookup();
    let (red, blue) = (lookup.clone().topic("red")?, lookup.clone().topic("blue")?);
    let of = |name: &str| SessionKey::of_user(name.to_owned());
    let (reds, blues) = (of("u-red")?, of("u-blue")?);
    for _ in 0..50 {
        let asked =
            [(&lookup, &reds), (&red, &reds), (&blue, &reds), (&lookup, &blues), (&red, &blues), (&blue, &blues)];
        let looked = try_join_all(asked.map(|(lookup, key)| lookup.session(key))).await?;
        let found: Vec<_> = looked.iter().map(|it| it.found.is_some()).collect();
        assert_eq!(found, [true, true, false, true, false, true]);
    }
    assert_eq!((red.user("u-red").await?.found.len(), red.user("u-blue").await?.found.len()), (2, 0));
    assert_eq!(lookup.topic("").err().map(|it| it.reason().to_owned()), Some("invalid".into()));
    Ok(())
}

#[tokio::test]
async fn a_miss_says_who_was_there() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let lookup = Keeper::connect(&fake.endpoints).await?.lookup();
    let names = ["nobody", "lingers", "user", "lingers-too"];
    let keys = names.into_iter().map(SessionKey::of_user).collect::<Result<Vec<_>, _>>()?;
    let looked = lookup.many(&keys).await?;
    let found: Vec<_> = looked.found.iter().map(Option::is_some).collect();
    assert_eq!((found, looked.rebuilding), (vec![false, false, true, false], None));
    let former: Vec<_> = looked.formerly.iter().map(|it| (it.session.key.to_string(), it.state)).collect();
    let lingers = FormerState::Lingering { until_ms: 1_234 };
    assert_eq!(former, [("lingers".to_owned(), lingers), ("lingers-too".to_owned(), lingers)]);
    fake.state.change(|book| book.rebuilding = Some(Rebuilding { done_permille: 250, not_before_ms: 9 }));
    assert_eq!(
        lookup.session(&keys[0]).await?.rebuilding.map(|it| (it.done_permille, it.not_before_ms)),
        Some((250, 9))
    );
    Ok(())
}
