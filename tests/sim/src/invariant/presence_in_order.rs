//! A subscriber is told each fact once, in order, without a gap, also when it goes on from its token.
//!
//! Each fact says what it changes, so a chain of them that fits has no gap and no duplicate; and it must have been told
//! whatever a walk at the end finds.

use std::collections::BTreeMap;

use keeper_client_sdk::{Epoch, PresenceChange, PresenceFact};

use crate::history::{Records, Told};
use crate::workload::Audit;

pub(super) fn judge(records: &Records, _: &Audit) -> Vec<String> {
    records.presence.iter().flat_map(|(subscriber, told)| chain(records, subscriber, told)).collect()
}

/// What a subscriber knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Live(Epoch),
    Gone(Epoch),
}

fn chain(records: &Records, subscriber: &str, told: &[Told]) -> Vec<String> {
    let mut violations = Vec::new();
    let mut known: BTreeMap<&[u8], Known> = BTreeMap::new();
    let mut newest = 0;
    for fact in told {
        let fact = match fact {
            Told::Fact(fact) => fact,
            Told::Resumed => continue,
            Told::Reset => {
                known.clear();
                continue;
            }
        };
        if fact.revision < newest {
            let PresenceFact { revision, key, .. } = &**fact;
            violations.push(format!("presence: {subscriber} was told of {key} at {revision} after {newest}"));
        }
        newest = newest.max(fact.revision);
        if let Some(broken) = follow(&mut known, fact) {
            violations.push(format!("presence: {subscriber}: {broken}"));
        }
    }
    violations.extend(compare(records, subscriber, &known));
    violations
}

/// Takes a fact, unless it does not fit what was known.
fn follow<'a>(known: &mut BTreeMap<&'a [u8], Known>, fact: &'a PresenceFact) -> Option<String> {
    let user = &fact.key.user()[..];
    let before = known.get(user).copied();
    let fits = match (&fact.change, before) {
        (_, None) => true,
        (PresenceChange::Online, Some(Known::Gone(last))) => fact.epoch > last,
        (PresenceChange::Online, Some(Known::Live(_))) => false,
        (PresenceChange::Moved(from) | PresenceChange::Reconnected(from), Some(before)) => {
            before == Known::Live(from.epoch) && fact.epoch > from.epoch
        }
        (PresenceChange::Offline(_), Some(before)) => before == Known::Live(fact.epoch),
        (PresenceChange::Dropped(_), Some(_)) => false,
    };
    let after = match fact.change {
        PresenceChange::Offline(_) => Known::Gone(fact.epoch),
        PresenceChange::Online
        | PresenceChange::Moved(_)
        | PresenceChange::Reconnected(_)
        | PresenceChange::Dropped(_) => Known::Live(fact.epoch),
    };
    known.insert(user, after);
    (!fits).then(|| format!("{before:?} was followed by {fact:?}"))
}

/// What was told must be what the last walk found, for every key that was told of.
fn compare(records: &Records, subscriber: &str, known: &BTreeMap<&[u8], Known>) -> Vec<String> {
    let Some(walk) = records.scans.last() else { return Vec::new() };
    let wrong = known.iter().filter_map(|(user, known)| {
        let found = walk.sessions.iter().find(|(key, _)| key.as_bytes() == *user).map(|(_, held)| held.epoch);
        let told = match known {
            Known::Live(epoch) => Some(*epoch),
            Known::Gone(_) => None,
        };
        let user = user.escape_ascii();
        (found != told).then(|| format!("presence: {subscriber} was told that {user} is {told:?}, and it is {found:?}"))
    });
    wrong.collect()
}
