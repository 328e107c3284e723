//! What an admin asks of rollouts and of who runs with what, when answers are lost and leaders die.

use std::time::Duration;

use keeper_client_sdk::{Edit, Keeper, RolloutState, Stage, StartRollout, StatusOf};

use crate::fake::Fake;

#[tokio::test]
async fn waiting_for_a_share_goes_on_with_the_next_leader() -> anyhow::Result<()> {
    let mut fake = Fake::start(3).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let timeout = Duration::from_secs(60);
    let asked = StatusOf::path("room.json").wait(9_900, 7, timeout);
    let state = fake.state.clone();
    let configs = keeper.configs();
    let (status, changed) = tokio::join!(configs.status(asked), async {
        state.until("the first leader is asked", |book| book.statuses.len() == 1).await?;
        state.change(|book| book.leader = Some(1));
        fake.kill(0).await?;
        state.until("the next leader is asked", |book| book.statuses.len() == 2).await?;
        state.change(|book| book.is_converged = true);
        anyhow::Ok(())
    });
    changed?;
    let status = status?;
    assert_eq!((status.applied, status.applied_bps()), (1, 10_000));
    let waits = fake.state.read(|book| book.statuses.iter().map(|it| it.wait_timeout_ms).collect::<Vec<_>>());
    assert!(waits[1] <= waits[0] && waits[0] <= 60_000, "each try waits for what is left: {waits:?}");
    Ok(())
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_is_not_taken_twice() -> anyhow::Result<()> {
    let fake = Fake::start(2).await?;
    let keeper = Keeper::connect(&fake.endpoints).await?;
    let start = StartRollout::of(Edit::put("room.json", "1")).stage(Stage::share_bps(500)).stage(Stage::everybody());
    let started = keeper.rollouts().start(start).await?;
    let Some(rollout) = started.rollout else { anyhow::bail!("nothing was started") };
    assert_eq!((rollout.state, rollout.stage(), rollout.stages.len()), (RolloutState::Running, 0, 2));

    // Nobody leads for a moment: nothing happened, so it is tried again.
    fake.state.change(|book| book.leader = None);
    let rollouts = keeper.rollouts();
    let (stepped, led) = tokio::join!(rollouts.advance(rollout.rollout, 0, "ann"), async {
        fake.state.until("a step was refused for want of a leader", |book| book.steps_refused > 0).await?;
        fake.state.change(|book| book.leader = Some(1));
        anyhow::Ok(())
    });
    led?;
    let stepped = stepped?;
    assert_eq!((stepped.rollout.stage(), stepped.rollout.by.as_deref()), (1, Some("ann")));

    fake.state.change(|book| book.lose_step = Some(()));
    let error = keeper.rollouts().pause(rollout.rollout, "ann").await.expect_err("the answer was lost");
    assert!(error.may_have_happened() && error.is_retryable(), "{error:?}");
    assert_eq!(fake.state.read(|book| book.steps), 2, "the second step was taken once");
    assert_eq!(keeper.rollouts().get(rollout.rollout).await?.rollout.state, RolloutState::Paused);
    Ok(())
}
