//! Nobody beyond the open stages ever has a candidate, and after the end nobody has.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use keeper_registry::{
    DocumentAction, Incarnation, Instance, InstanceSelector, Layer, LogTime, Revision, Rollout, RolloutState, Stage,
    State, rollout_place,
};
use proptest::{collection::vec, prelude::*};

use super::{PATHS, step};
use crate::Run;

/// Service, id, zone and labels: what decides who is in.
type Name = (String, String, String, Vec<(String, String)>);

/// As they are applied.
type Texts = Vec<(Layer, Bytes)>;

fn name(instance: &Instance) -> Name {
    (instance.service.to_string(), instance.id.to_string(), instance.zone.clone(), instance.labels.clone())
}

/// The same decision, in other words.
fn is_in(rollout: &Rollout, instance: &Instance) -> bool {
    let open = &rollout.stages[..rollout.opened.len()];
    open.iter().any(|Stage { selector, share_bps, .. }| {
        let InstanceSelector { service, id, zone, labels } = selector;
        let given = [(service, &*instance.service), (id, &*instance.id), (zone, &*instance.zone)];
        given.iter().all(|(wanted, found)| wanted.as_deref().is_none_or(|wanted| wanted == *found))
            && labels.iter().all(|label| instance.labels.contains(label))
            && rollout_place(&instance.service, &instance.id) < *share_bps
    })
}

/// What an instance is to have, worked out from documents by their keys.
fn wanted(state: &State, path: &str, instance: &Instance) -> BTreeMap<String, Bytes> {
    let mut texts = BTreeMap::new();
    for document in state.configs(path) {
        texts.insert(document.path.to_string(), document.text.clone());
    }
    let under_way = state.rollouts().filter(|one| matches!(one.state, RolloutState::Running | RolloutState::Paused));
    for rollout in under_way.filter(|rollout| is_in(rollout, instance)) {
        for candidate in rollout.candidates.iter() {
            match &candidate.change().action {
                DocumentAction::Put { text, .. } => drop(texts.insert(candidate.change().path.clone(), text.clone())),
                DocumentAction::Delete => drop(texts.remove(&candidate.change().path)),
            }
        }
    }
    let zone = format!("{path}@zone={}", instance.zone);
    let service = format!("{path}@service={}", instance.service);
    texts.retain(|key, _| {
        let labels = key.strip_prefix(path).and_then(|layer| layer.strip_prefix("@label."));
        let has = |label: &str| {
            let (name, value) = label.trim_start_matches("label.").split_once('=').unwrap_or_default();
            instance.labels.contains(&(name.to_owned(), value.to_owned()))
        };
        *key == path || *key == zone || *key == service || labels.is_some_and(|labels| labels.split(',').all(has))
    });
    texts
}

#[derive(Debug, Default)]
struct Seen {
    /// Who was in each rollout that is not finished.
    taken: BTreeMap<u64, BTreeSet<Name>>,
    /// What each had, and at which revision.
    had: BTreeMap<(Name, &'static str), (Revision, Texts)>,
    /// What each life had, by the state's revision.
    past: BTreeMap<(Incarnation, &'static str), BTreeMap<Revision, Texts>>,
}

/// How many revisions back are asked about after each command.
const PAST_ASKED: usize = 6;

impl Seen {
    fn check(&mut self, state: &State) {
        let instances: Vec<_> = state.instances().cloned().collect();
        for rollout in state.rollouts() {
            let is_under_way = !rollout.state.is_finished();
            let taken = self.taken.entry(rollout.id).or_default();
            for instance in &instances {
                assert_eq!(rollout.takes(instance), is_under_way && is_in(rollout, instance), "{}", rollout.id);
                assert!(!is_under_way || rollout.takes(instance) || !taken.contains(&name(instance)), "taken out");
                if rollout.takes(instance) {
                    taken.insert(name(instance));
                }
            }
        }
        for instance in &instances {
            for path in PATHS {
                self.check_config(state, path, instance);
            }
        }
    }

    fn check_config(&mut self, state: &State, path: &'static str, instance: &Instance) {
        let config = state.config_for(path, instance);
        let found = config.layers.iter().map(|applied| (applied.layer.key(path), applied.text.clone()));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), wanted(state, path, instance), "{path} of {}", instance.id);
        assert!(config.layers.is_sorted_by(|a, b| a.layer < b.layer), "out of order");
        for applied in &config.layers {
            assert!(applied.candidate_of.is_none() || applied.candidate_of == config.rollout);
            assert!(applied.revision <= config.revision, "{path}: a layer newer than the whole");
        }
        // Deletions and rollouts are all remembered in so short a run: what changed has another revision.
        let texts: Vec<_> = config.layers.iter().map(|one| (one.layer.clone(), one.text.clone())).collect();
        self.check_past(state, path, instance, &texts);
        let before = self.had.insert((name(instance), path), (config.revision, texts.clone()));
        if let Some((revision, before)) = before {
            assert!(config.revision >= revision, "{path}: its revision fell");
            let is_same_entry = config.revision == state.revision();
            assert!(config.revision > revision || before == texts || is_same_entry, "{path}: changed unseen");
        }
    }

    /// What was is known as it was, or not at all; and whoever follows a path hears of every change.
    fn check_past(&mut self, state: &State, path: &'static str, instance: &Instance, texts: &Texts) {
        let past = self.past.entry((instance.incarnation, path)).or_default();
        if let Some((revision, before)) = past.last_key_value() {
            let is_heard = state.config_changed(path) > *revision || *revision == state.revision();
            assert!(before == texts || is_heard, "{path}: changed unheard");
        }
        past.insert(state.revision(), texts.clone());
        for (revision, was) in past.iter().rev().take(PAST_ASKED) {
            // A policy may have let go of its version.
            let Some(known) = state.config_for_at(path, instance, *revision) else { continue };
            let known: Texts = known.iter().map(|one| (one.layer.clone(), one.text.clone())).collect();
            assert_eq!(known, *was, "{path} at {revision:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// After every command, for every instance and path.
    #[test]
    fn candidates_are_for_open_stages_alone(steps in vec(step(), 0..60)) {
        let mut run = Run::raised();
        let mut seen = Seen::default();
        for step in &steps {
            run.take(step);
            seen.check(&run.state);
        }
    }

    /// Who is in at a share is in at every larger one, and through every life.
    #[test]
    fn a_larger_share_takes_nobody_out(
        service in "[a-z]{1,9}",
        id in "[a-z0-9-]{1,20}",
        share_bps in 1_u32..=10_000,
        more in 0_u32..10_000,
        lives in (0_u64..9, 0_u64..9),
    ) {
        let [first, second] = [lives.0, lives.1].map(|life| instance(&service, &id, life));
        let stage = |share_bps| Stage { selector: InstanceSelector::default(), share_bps, hold_ms: None };
        let larger = stage(10_000.min(share_bps + more));
        let smaller = stage(share_bps);
        prop_assert_eq!(smaller.takes(&first), smaller.takes(&second));
        prop_assert!(!smaller.takes(&first) || larger.takes(&second));
        prop_assert!(stage(10_000).takes(&first));
        // Those below the share, and not the one at it: a share is of exactly so many places.
        let place = rollout_place(&service, &id);
        prop_assert!(stage(place + 1).takes(&first) && !stage(place).takes(&first));
    }
}

fn instance(service: &str, id: &str, life: u64) -> Instance {
    Instance {
        service: service.into(),
        id: id.into(),
        incarnation: Incarnation(life),
        endpoints: Vec::new(),
        zone: life.to_string(),
        weight: 1,
        labels: Vec::new(),
        version: life.to_string(),
        ttl_ms: 10_000,
        opened: Revision(life),
        opened_at: LogTime(life),
    }
}

/// A share of a fleet is about that share.
#[test]
fn places_are_spread_evenly() {
    let places: Vec<_> = (0..20_000).map(|number| rollout_place("room", &format!("room-{number}"))).collect();
    for share in [100, 500, 2_500, 5_000, 9_000] {
        let taken = places.iter().filter(|place| **place < share).count() as u32;
        let expected = share * 2;
        assert!(taken.abs_diff(expected) < 250, "{taken} of 20,000 at {share} basis points");
    }
}
