//! A session, and a document, answer as one copy of it would: there is one order of all operations on it, each within
//! the time it took, that explains every answer.
//!
//! What ends a session without being asked for it by key is an operation too: the end of its lease. An end that was
//! acknowledged took effect while it was asked for; one that nobody acknowledged may come at any time after the holder
//! could not be sure any more that it held the lease.

use std::collections::BTreeMap;

use keeper_linearize::{Action, Held, NEVER, STEPS_MAX, Step, check};

use crate::history::{self, Freshness, Lookup, Moment, Records, Register, Removal, Replacement};
use crate::invariant::slack_ms;
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    let sessions = sessions(records);
    let documents = documents(records);
    let all = sessions.into_iter().chain(documents);
    all.filter_map(|(key, steps)| {
        let contradiction = check(&steps, STEPS_MAX).err()?;
        Some(format!("one copy: {key}: {}: {:?}", contradiction.why, contradiction.steps))
    })
    .collect()
}

/// A history of one key.
type Histories<'a> = BTreeMap<&'a str, Vec<Step>>;

fn sessions(records: &Records) -> Histories<'_> {
    // A connection has a name of its own: its number is the value that a registration writes.
    let numbers: BTreeMap<&str, u64> = (1..).zip(records.registers.keys()).map(|(at, name)| (&name[..], at)).collect();
    let by_epoch: BTreeMap<_, _> =
        records.registers.iter().filter_map(|(name, it)| Some((it.epoch?, &name[..]))).collect();
    let number = |name: &str| numbers.get(name).copied().unwrap_or(u64::MAX);
    let mut histories = Histories::new();
    for (name, register) in records.registers.iter().filter(|(_, it)| !it.is_refused) {
        let steps = histories.entry(&register.key).or_default();
        let (was, to) = (register.displaced.as_deref().map(number), number(name));
        let action = if register.epoch.is_some() { Action::Swap { was, to } } else { Action::Write(to) };
        steps.push(step(register.began, register.ended, action));
        steps.extend(end_of_lease(records, register, to));
    }
    for Removal { key, epoch, began, ended, has_found } in &records.removals {
        let value = by_epoch.get(epoch).map_or(u64::MAX, |name| number(name));
        let action = if *has_found { Action::Remove(value) } else { Action::End(value) };
        // One that nobody answered found it, if ever it did.
        let action = if *ended == history::NEVER { Action::Remove(value) } else { action };
        histories.entry(key).or_default().push(step(*began, *ended, action));
    }
    for Lookup { key, began, ended, found, freshness, .. } in &records.lookups {
        if *freshness == Freshness::Linearizable {
            let seen = found.as_ref().map(|found| number(&found.connection));
            histories.entry(key).or_default().push(step(*began, *ended, Action::Read(seen)));
        }
    }
    histories
}

/// When a session ended with its gateway's lease, if that may have been.
fn end_of_lease(records: &Records, register: &Register, value: u64) -> Option<Step> {
    let Some(lease) = records.leases.get(&register.incarnation) else {
        return Some(step(register.began, history::NEVER, Action::Remove(value)));
    };
    if lease.closed != history::NEVER {
        return Some(step(lease.closing, lease.closed, Action::End(value)));
    }
    let doubtful = records.moment_at(lease.held_until_ms.saturating_sub(slack_ms(lease)));
    let from = doubtful.into_iter().chain((lease.closing != history::NEVER).then_some(lease.closing)).min()?;
    Some(step(from.max(register.began), history::NEVER, Action::Remove(value)))
}

fn documents(records: &Records) -> Histories<'_> {
    let held = |number: u64| -> Held { (number > 0).then_some(number) };
    let mut histories = Histories::new();
    for Replacement { path, from, number, began, ended, .. } in records.replacements.iter().filter(|it| !it.is_refused)
    {
        let action = Action::Replace { from: held(*from), to: *number };
        histories.entry(path).or_default().push(step(*began, *ended, action));
    }
    for read in &records.reads {
        let action = Action::Read(held(read.number));
        histories.entry(&read.path).or_default().push(step(read.began, read.ended, action));
    }
    histories
}

fn step(began: Moment, ended: Moment, action: Action) -> Step {
    let place = |moment: Moment| usize::try_from(moment).unwrap_or(NEVER);
    Step { began: place(began), ended: place(ended), action }
}
