//! A model of who reads what: a list of what each incarnation said, without kinds, counts or an index.

use std::collections::{BTreeMap, BTreeSet};

use keeper_registry::{Announce, Command, Incarnation, OpenInstance, Outcome, Reply, Revision, SchemaHash, State};
use proptest::{collection::vec, prelude::*};

use super::{PATHS, SCHEMAS, step};
use crate::Run;

/// Service and version.
type Program = (String, String);
type Group = (String, String, Option<SchemaHash>);
type Groups = BTreeMap<Group, BTreeSet<Incarnation>>;

#[derive(Debug, Default)]
struct Model {
    programs: BTreeMap<Incarnation, Program>,
    said: BTreeMap<Incarnation, Announce>,
    revisions: BTreeMap<&'static str, Revision>,
}

impl Model {
    fn apply(&mut self, revision: Revision, state: &State, command: &Command, outcome: &Outcome) {
        let before = self.names();
        match (command, &outcome.reply) {
            (Command::OpenInstance(open), Ok(Reply::Opened { incarnation })) => self.open(open, *incarnation),
            (Command::Announce(announce), Ok(_)) => {
                self.said.insert(announce.incarnation, announce.clone());
            }
            _ => {}
        }
        self.programs.retain(|incarnation, _| state.instance(*incarnation).is_some());
        self.said.retain(|incarnation, _| state.instance(*incarnation).is_some());
        for (path, groups) in self.names() {
            if groups.is_empty() {
                self.revisions.remove(path);
            } else if before.get(path) != Some(&groups) {
                self.revisions.insert(path, revision);
            }
        }
    }

    fn open(&mut self, open: &OpenInstance, incarnation: Incarnation) {
        self.programs.insert(incarnation, (open.service.clone(), open.version.clone()));
    }

    fn groups(&self, path: &str) -> Groups {
        let mut groups = Groups::new();
        for (incarnation, said) in &self.said {
            let (service, version) = self.programs[incarnation].clone();
            for consumed in said.documents.iter().filter(|consumed| *consumed.path == *path) {
                let group = (service.clone(), version.clone(), consumed.schema);
                groups.entry(group).or_default().insert(*incarnation);
            }
        }
        groups
    }

    fn names(&self) -> BTreeMap<&'static str, BTreeSet<Group>> {
        PATHS.into_iter().map(|path| (path, self.groups(path).into_keys().collect())).collect()
    }

    fn compare(&self, state: &State) {
        for path in PATHS {
            let mut found = Groups::new();
            for of in state.consumers(path) {
                let group = of.group();
                let incarnations: BTreeSet<_> = of.incarnations().collect();
                assert_eq!(of.count(), incarnations.len(), "{path}");
                found.insert((group.service.to_string(), group.version.to_string(), group.schema), incarnations);
            }
            assert_eq!(found, self.groups(path), "{path}");
            let revision = self.revisions.get(path).copied().unwrap_or_default();
            assert_eq!(state.consumers_revision(path), revision, "{path}");
        }
        for schema in SCHEMAS {
            let hash = SchemaHash::of(schema.as_bytes());
            let documents = self.said.values().flat_map(|said| &said.documents);
            let is_named = documents.filter_map(|consumed| consumed.schema).any(|named| named == hash);
            assert_eq!(state.schema(hash).map(|bytes| &bytes[..]), is_named.then_some(schema.as_bytes()));
        }
        for (incarnation, said) in &self.said {
            let said: BTreeSet<_> = said.documents.iter().cloned().collect();
            assert_eq!(state.consumed_by(*incarnation).iter().cloned().collect::<BTreeSet<_>>(), said);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Who reads what, since when, and which schemas are kept.
    #[test]
    fn the_model_of_consumers_agrees(steps in vec(step(), 0..80)) {
        let mut run = Run::raised();
        let mut model = Model::default();
        for step in &steps {
            let (command, outcome) = run.take(step);
            model.apply(run.at.revision, &run.state, &command, &outcome);
            model.compare(&run.state);
        }
    }
}
