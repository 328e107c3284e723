//! `keeperctl config rollout start`.

use keeper_client_sdk::{Edit, Publish, RolloutStarted, StartRollout};

use super::{report::Started, watch};
use crate::{
    admin::Admin,
    args,
    config::{excerpt, judging, source, verdict::Judged},
    failure::Failure,
};

pub(super) async fn start(admin: &mut Admin<'_, '_>, typed: &args::StartRollout) -> Result<(), Failure> {
    let text = source::read(&typed.file)?;
    let mut publish = Publish::of(edit(typed, &typed.path, text.clone()));
    for pair in typed.also.chunks_exact(2) {
        publish = publish.and(edit(typed, &pair[0], source::read(&pair[1])?));
    }
    publish = publish.author(admin.author.clone()).message(typed.reason.message.clone());
    if let Some(reason) = &typed.insistence.force {
        publish = publish.forced(reason.clone());
    }
    let rollout = StartRollout::of(publish).applied_bps(typed.applied.bps);
    let rollout = typed.stages.iter().fold(rollout, |rollout, stage| rollout.stage(stage.0.clone()));
    if typed.insistence.dry_run {
        judging::able(admin).await?;
        let would = admin.keeper.rollouts().dry_run(rollout).await?;
        return judge(admin, typed, would);
    }
    let started = match admin.keeper.rollouts().start(rollout).await {
        Ok(started) => started,
        Err(error) => {
            let failure = judging::refused(&admin.keeper.configs(), &typed.path, error, "rollout start").await;
            return Err(excerpt::beside(failure, &text));
        }
    };
    let RolloutStarted { rollout, verdict, stage_instances } = started;
    let rollout = rollout.ok_or_else(|| Failure::failed("the answer held no rollout"))?;
    let number = rollout.rollout;
    print(admin, &Started::of(Some(number), &rollout.stages, stage_instances))?;
    judging::say_overruled(admin, &Judged::done(verdict));
    if typed.watch {
        return watch::watch(admin, number).await;
    }
    admin.console.say(format_args!("see how it goes with `keeperctl config rollout watch {number}`"));
    Ok(())
}

fn edit(typed: &args::StartRollout, path: &str, text: String) -> Edit {
    let edit = Edit::put(path, text);
    match typed.format {
        Some(format) => edit.format(format.into()),
        None => edit,
    }
}

fn print(admin: &mut Admin<'_, '_>, started: &Started) -> Result<(), Failure> {
    admin.console.print(started)?;
    started.warnings().iter().for_each(|line| admin.console.say(line));
    Ok(())
}

fn judge(admin: &mut Admin<'_, '_>, typed: &args::StartRollout, would: RolloutStarted) -> Result<(), Failure> {
    let stages: Vec<_> = typed.stages.iter().map(|stage| stage.0.clone()).collect();
    print(admin, &Started::of(None, &stages, would.stage_instances))?;
    judging::tell(admin, &Judged::asked(would.verdict), &typed.insistence)
}
