//! Every operation exactly once, whatever breaks.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::try_join_all;
use keeper_client_sdk::{Error, Instance, Keeper, Notice, Registration, SessionKey, Sessions, limits};
use keeper_proto::v1::problem::{Class, Happened};

use crate::fake::{Fake, problem, refused, state::Fault};

async fn gateway(fake: &Fake) -> anyhow::Result<(Keeper, Instance)> {
    let keeper = Keeper::builder().endpoints(&fake.endpoints).seed(1).connect().await?;
    let instance = keeper.instance("room", "room-1").open().await?;
    Ok((keeper, instance))
}

fn registration(number: usize) -> Result<Registration, Error> {
    Ok(Registration::new(SessionKey::of_user(format!("user-{number}"))?))
}

async fn register_all(sessions: &Sessions, count: usize) -> anyhow::Result<()> {
    let each = |number| async move { sessions.register(registration(number)?).await };
    let registered = try_join_all((0..count).map(each)).await?;
    let epochs: BTreeSet<_> = registered.iter().map(|it| it.epoch).collect();
    assert_eq!(epochs.len(), count, "every caller got an answer of its own");
    Ok(())
}

fn registered_once(fake: &Fake, count: usize) {
    let registered = fake.state.read(|book| book.registered.clone());
    let distinct: BTreeSet<_> = registered.iter().collect();
    assert_eq!((registered.len(), distinct.len()), (count, count));
}

#[tokio::test]
async fn callers_share_frames_and_get_their_own_answers() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (_keeper, instance) = gateway(&fake).await?;
    register_all(&instance.sessions(), 5_000).await?;
    registered_once(&fake, 5_000);
    let sizes: Vec<_> = fake.state.read(|book| book.arrived.iter().map(|it| it.operations.len()).collect());
    assert!(sizes.len() < 50, "{} frames for 5,000 operations", sizes.len());
    assert!(sizes.iter().all(|it| *it <= limits::FRAME_OPERATIONS_MAX), "{sizes:?}");
    Ok(())
}

#[tokio::test]
async fn a_broken_stream_loses_nothing_and_repeats_nothing() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (_keeper, instance) = gateway(&fake).await?;
    let faults = [Fault::BreakBefore, Fault::BreakAfter, Fault::BreakAfter, Fault::BreakBefore];
    fake.state.change(|book| book.faults.extend(faults));
    register_all(&instance.sessions(), 5_000).await?;
    registered_once(&fake, 5_000);
    Ok(())
}

#[tokio::test]
async fn a_new_leader_gets_what_the_old_one_left_unanswered() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let (keeper, instance) = gateway(&fake).await?;
    let sessions = instance.sessions();
    register_all(&sessions, 10).await?;
    fake.state.change(|book| book.faults.push_back(Fault::Silence));
    let more = async {
        try_join_all((10..2_000).map(|number| sessions.register(registration(number).expect("a short name")))).await
    };
    let fail_over = async {
        fake.state.until("a frame hangs", |book| book.faults.is_empty() && book.arrived.len() > 1).await?;
        fake.state.change(|book| book.leader = Some(2));
        fake.kill(0).await?;
        anyhow::Ok(())
    };
    let (more, failed_over) = tokio::join!(more, fail_over);
    failed_over?;
    more?;
    registered_once(&fake, 2_000);
    assert_eq!(keeper.leader().map(|it| it.to_string()), Some(fake.endpoints[2].clone()));
    Ok(())
}

#[tokio::test]
async fn a_frame_not_taken_goes_again_under_its_number() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (_keeper, instance) = gateway(&fake).await?;
    let full = Fault::Answer(problem(Class::Unavailable, "full", Happened::No, String::new()));
    fake.state.change(|book| book.faults.extend([full.clone(), full]));
    register_all(&instance.sessions(), 100).await?;
    registered_once(&fake, 100);
    Ok(())
}

#[tokio::test]
async fn a_refused_frame_fails_alone() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (_keeper, instance) = gateway(&fake).await?;
    fake.state.change(|book| book.faults.push_back(Fault::Answer(refused("too-large"))));
    let sessions = instance.sessions();
    let error = sessions.register(registration(0)?).await.expect_err("the frame was refused");
    assert_eq!((error.reason(), error.may_have_happened()), ("too-large", false));
    register_all(&sessions, 10).await?;
    registered_once(&fake, 10);
    Ok(())
}

#[tokio::test]
async fn a_caller_whose_time_ran_out_is_told_what_is_known() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let builder = Keeper::builder().endpoints(&fake.endpoints).seed(1);
    let keeper = builder.operation_timeout(Duration::from_millis(300)).connect().await?;
    let instance = keeper.instance("room", "room-1").open().await?;
    fake.state.change(|book| book.faults.push_back(Fault::Silence));
    let sessions = instance.sessions();
    let error = sessions.register(registration(0)?).await.expect_err("nobody answers");
    assert_eq!((error.reason(), error.may_have_happened()), ("timeout", true));
    // The number is used up by an empty frame: the operation nobody waits for does not happen late.
    fake.state.break_streams();
    fake.state.until("the number is used up", |book| book.frames.contains_key(&1)).await?;
    sessions.register(registration(1)?).await?;
    registered_once(&fake, 1);
    Ok(())
}

#[tokio::test]
async fn a_closed_incarnation_ends_every_call() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (_keeper, instance) = gateway(&fake).await?;
    fake.state.change(|book| book.closed.push(1));
    let sessions = instance.sessions();
    let error = sessions.register(registration(0)?).await.expect_err("the incarnation is closed");
    // Writes and renewals go on streams of their own: either may hear of it first.
    assert!(matches!(error.reason(), "incarnation-closed" | "ended"), "{error}");
    assert!(!error.is_retryable(), "{error}");
    let error = sessions.register(registration(1)?).await.expect_err("for good");
    assert!(!error.may_have_happened(), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_operation_over_a_limit_is_refused_before_it_joins_a_frame() -> anyhow::Result<()> {
    let fake = Fake::start(1).await?;
    let (_keeper, instance) = gateway(&fake).await?;
    let long = registration(0)?.connection(vec![0; limits::CONNECTION_BYTES_MAX + 1]);
    let error = instance.sessions().register(long).await.expect_err("too long a name");
    assert_eq!(error.to_string(), "connection: 33, but 0 to 32 are allowed");
    assert!(SessionKey::of_user("").is_err());
    Ok(())
}

#[tokio::test]
async fn notices_go_on_from_their_cursor() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let (_keeper, instance) = gateway(&fake).await?;
    let mut notices = instance.sessions().notices();
    register_all(&instance.sessions(), 3).await?;
    for number in 0..3 {
        fake.state.change(|book| book.end_by_kick(&format!("user-{number}")));
        let Some(Ok(Notice::Ended { key, .. })) = notices.next().await else { anyhow::bail!("no notice {number}") };
        assert_eq!(key, SessionKey::of_user(format!("user-{number}"))?);
        fake.state.break_streams();
    }
    Ok(())
}
