//! Filling the registry again.

use keeper_registry::{GiveUp, RebuildGateway, State};

use crate::{command::service_and_id, words::Line};

/// `give-up room/a,room/b`, or `give-up` for all.
pub(crate) fn give_up(line: &Line) -> GiveUp {
    let names = line.word_or_empty(0).split(',').filter(|name| !name.is_empty());
    GiveUp { instances: names.map(service_and_id).collect(), author: line.text("author") }
}

pub(crate) fn rebuild(state: &State) -> Vec<String> {
    let Some(rebuild) = state.rebuild() else { return vec!["whole".to_owned()] };
    let (since, not_before) = (rebuild.since().0, rebuild.not_before().0);
    let head =
        format!("since {since} ms, not before {not_before} ms, {} permille done", rebuild.done_permille(state.time()));
    let gateway = |gateway: &RebuildGateway| {
        let RebuildGateway { service, id, progress, total, remaining } = gateway;
        format!("  {service}/{id} {progress:?} {remaining} of {total}")
    };
    std::iter::once(head).chain(rebuild.gateways().map(gateway)).collect()
}
