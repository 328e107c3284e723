//! How long nobody could write when a leader was killed: from its death to the next acknowledged write, as clients saw
//! it, with the detection, the election and the client's own search for the new leader in it.
//!
//! Counted are deaths that came alone: with every other node in its place, and nothing else broken.

use crate::{
    history::{Event, Kind, NEMESIS},
    nemesis::LASTS_MAX,
};

/// What must wait for a leader.
const WRITES: [&str; 4] = ["register", "unregister", "write", "cas"];

/// An answer may have been on its way when its leader died.
const ON_ITS_WAY_NS: u64 = 100_000_000;

/// No successor answers as soon as this: the lease of the dead one has to run out first. Whoever answers then was the
/// leader all along, and another node was killed for it.
const SUCCESSOR_MIN_NS: u64 = 350_000_000;

/// How long a node that was started again is given to be one of those that elect.
const STARTED_NS: u64 = 1_000_000_000;

/// In milliseconds, in the order of the deaths.
pub(crate) fn failovers_ms(events: &[Event]) -> Vec<u64> {
    let faults: Vec<&Event> = events.iter().filter(|it| it.process == NEMESIS).collect();
    let deaths = faults.iter().filter(|it| it.f == "kill" && it.key == "leader");
    let next = |died: u64| {
        let later = events.iter().skip_while(move |it| it.time <= died + ON_ITS_WAY_NS);
        let mut acknowledged = later.filter(|it| it.kind == Kind::Ok && WRITES.contains(&&*it.f));
        acknowledged.next().map(|it| it.time)
    };
    deaths
        .filter_map(|death| Some((death.time, next(death.time)?)))
        .filter(|(died, served)| served - died >= SUCCESSOR_MIN_NS && is_alone(&faults, *died, *served))
        .map(|(died, served)| (served - died) / 1_000_000)
        .collect()
}

/// Nothing else lasted when the leader died, and nothing began before there was another.
fn is_alone(faults: &[&Event], died: u64, served: u64) -> bool {
    let lasts_ns = u64::try_from(LASTS_MAX.as_nanos()).unwrap_or(u64::MAX);
    faults.iter().filter(|it| it.time != died && it.time <= served).all(|it| match &*it.f {
        "kill" => it.time < died,
        "start" => it.time + STARTED_NS < died,
        _ => it.time + lasts_ns < died,
    })
}

/// The middle one; none of none.
pub(crate) fn median(mut values: Vec<u64>) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn event(process: i64, kind: Kind, f: &'static str, key: &str, ms: u64) -> Event {
        Event { process, kind, f: f.into(), key: key.into(), value: Value::Null, time: ms * 1_000_000 }
    }

    fn fault(f: &'static str, key: &str, ms: u64) -> Event {
        event(NEMESIS, Kind::Info, f, key, ms)
    }

    fn written(ms: u64) -> Event {
        event(0, Kind::Ok, "cas", "k", ms)
    }

    #[test]
    fn a_death_lasts_until_the_next_write_that_was_not_on_its_way() {
        let read = event(0, Kind::Ok, "read", "k", 20_500);
        let events = [fault("kill", "leader", 20_000), written(20_003), read, written(21_100), written(21_200)];
        assert_eq!(failovers_ms(&events), [1_100]);
    }

    #[test]
    fn deaths_beside_other_faults_are_not_counted() {
        let death = fault("kill", "leader", 20_000);
        let with = |other: Event| {
            let mut events = vec![other, death.clone(), written(21_100)];
            events.sort_by_key(|it| it.time);
            failovers_ms(&events)
        };
        assert_eq!(with(fault("pause", "one", 13_000)), [0; 0]);
        assert_eq!(with(fault("partition", "halves", 20_400)), [0; 0]);
        assert_eq!(with(fault("start", "leader", 19_500)), [0; 0]);
        assert_eq!(with(fault("start", "leader", 17_000)), [1_100]);
        assert_eq!(with(fault("kill", "one", 13_000)), [1_100]);
        assert_eq!(with(fault("start", "leader", 22_000)), [1_100]);
    }

    #[test]
    fn the_death_of_a_node_that_led_no_more_is_not_counted() {
        assert_eq!(failovers_ms(&[fault("kill", "leader", 20_000), written(20_150), written(21_100)]), [0; 0]);
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median(vec![9, 1, 5]), Some(5));
        assert_eq!(median(vec![]), None);
    }
}
