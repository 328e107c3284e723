//! Kicks, and what is remembered of them.

use anyhow::Result;
use keeper_registry::{Kick, KickConfirmation, KickTarget, SessionSelector, State};

use crate::{
    command::{request, service_and_id},
    print,
    words::Line,
};

/// `kick alice`, `kick alice/tv`, or `kick topic=app`.
pub(crate) fn kick(line: &Line) -> Result<Kick> {
    let target = if line.word_or_empty(0).is_empty() {
        KickTarget::Matching(selector(line))
    } else {
        let key = line.key(0)?;
        let slot = line.word(0)?.contains('/').then_some(key.slot);
        KickTarget::User { user: key.user, slot }
    };
    Ok(Kick { target, reason: line.text("reason"), author: line.text("author"), request: request(line)? })
}

pub(crate) fn selector(line: &Line) -> SessionSelector {
    SessionSelector {
        topic: line.get("topic").map(|_| line.bytes("topic")),
        instance: line.get("instance").map(service_and_id),
        user_prefix: line.bytes("prefix"),
        slot: line.get("slot").map(|_| line.bytes("slot")),
    }
}

pub(crate) fn kicks(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for job in state.kick_jobs() {
        let target = match &job.target {
            KickTarget::User { user, slot } => {
                let slot = slot.as_ref().map_or_else(String::new, |slot| format!("/{}", print::text(slot)));
                format!("{}{slot}", print::text(user))
            }
            KickTarget::Matching(selector) => selected(selector),
        };
        let state_of = if job.finished_at.is_some() { "finished" } else { "under way" };
        lines.push(format!(
            "#{} {target} by {}: {}, {state_of}, {} closed",
            job.number, job.author, job.reason, job.closed
        ));
        for (incarnation, gateway) in &job.gateways {
            let confirmation = match state.kick_confirmation(*incarnation, gateway) {
                KickConfirmation::Waiting => "waiting",
                KickConfirmation::Confirmed => "confirmed",
                KickConfirmation::Gone => "gone",
            };
            let (service, id, notice) = (&gateway.service, &gateway.id, print::cursor(gateway.notice));
            let closed = gateway.closed;
            lines.push(format!("  {service}/{id} i{} {closed} closed up to {notice}, {confirmation}", incarnation.0));
        }
    }
    lines
}

fn selected(selector: &SessionSelector) -> String {
    let SessionSelector { topic, instance, user_prefix, slot } = selector;
    let mut parts = Vec::new();
    parts.extend(topic.as_ref().map(|topic| format!("topic={}", print::text(topic))));
    parts.extend(instance.as_ref().map(|(service, id)| format!("instance={service}/{id}")));
    parts.extend(
        Some(user_prefix).filter(|prefix| !prefix.is_empty()).map(|one| format!("prefix={}", print::text(one))),
    );
    parts.extend(slot.as_ref().map(|slot| format!("slot={}", print::text(slot))));
    parts.join(" ")
}
