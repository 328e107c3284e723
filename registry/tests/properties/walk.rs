//! Walks while others write.

use std::collections::BTreeSet;

use keeper_registry::{Epoch, Part, Revision, ScanPosition, SessionFilter, SessionKey, SessionSelector};
use proptest::{collection::vec, prelude::*};

use crate::{
    Run,
    step::{Step, selector, step},
};

type Registration = (SessionKey, Epoch);

/// One walk over all parts, and what it met.
struct Walk {
    filter: SessionFilter,
    met: Vec<Registration>,
    /// Matched at the beginning, and after every write.
    throughout: BTreeSet<Registration>,
}

impl Walk {
    /// The filter's revisions are those of a walk that begins now; there is a write after each page while there are
    /// some, in an entry of its own, as a walk always reads between entries.
    fn run(
        run: &mut Run,
        writes: &mut std::slice::Iter<'_, Step>,
        parts: u32,
        limit: usize,
        filter: SessionFilter,
    ) -> Self {
        let throughout = matching(run, &filter);
        let mut walk = Self { filter, met: Vec::new(), throughout };
        for index in 0..parts {
            let part = Part::new(index, parts).unwrap_or_default();
            let filter = SessionFilter { part, ..walk.filter.clone() };
            let mut after: Option<ScanPosition> = None;
            loop {
                let page = run.state.sessions_page(after.as_ref(), limit, &filter);
                walk.met.extend(page.sessions.iter().map(|view| (view.key(), view.epoch())));
                after = page.next;
                if let Some(step) = writes.next() {
                    let mut step = step.clone();
                    step.same_entry = false;
                    run.step(&step);
                    walk.throughout = walk.throughout.intersection(&matching(run, &walk.filter)).cloned().collect();
                }
                if after.is_none() {
                    break;
                }
            }
        }
        walk
    }
}

/// All that match, found another way: one user's sessions after the other.
fn matching(run: &Run, filter: &SessionFilter) -> BTreeSet<Registration> {
    let SessionSelector { topic, instance, user_prefix, slot } = &filter.selector;
    let is_of = |owner: &keeper_registry::Instance| {
        instance.as_ref().is_none_or(|(service, id)| *owner.service == **service && *owner.id == **id)
    };
    let keys = run.live_keys();
    let views = keys.iter().filter_map(|key| run.state.session(&key.user, &key.slot));
    let views = views.filter(|view| {
        let revision = view.epoch().revision;
        revision > filter.since
            && filter.until.is_none_or(|until| revision <= until)
            && topic.as_ref().is_none_or(|topic| view.topics().any(|name| name == topic))
            && is_of(view.owner())
            && view.user().starts_with(user_prefix)
            && slot.as_ref().is_none_or(|slot| view.slot() == slot)
    });
    views.map(|view| (view.key(), view.epoch())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// Every registration that matched throughout a walk is met exactly once, in whichever part, and so is every one
    /// that matched throughout the tail after it, in one of the two.
    #[test]
    fn a_walk_and_its_tail_are_complete(
        before in vec(step(), 0..80),
        during in vec(step(), 0..40),
        parts in 1_u32..5,
        limit in 1_usize..4,
        selector in prop_oneof![Just(SessionSelector::default()), selector()],
    ) {
        let mut run = Run::steps(&before);
        let mut writes = during.iter();
        let filter = SessionFilter { selector, until: Some(run.state.revision()), ..SessionFilter::default() };
        let first = Walk::run(&mut run, &mut writes, parts, limit, filter);
        let since = first.filter.until.unwrap_or_default();
        let filter = SessionFilter { since, until: Some(run.state.revision()), ..first.filter.clone() };
        let whole = SessionFilter { since: Revision(0), ..filter.clone() };
        let at_tail = matching(&run, &whole);
        let tail = Walk::run(&mut run, &mut writes, parts, limit, filter);

        for walk in [&first, &tail] {
            let met: BTreeSet<_> = walk.met.iter().cloned().collect();
            prop_assert_eq!(met.len(), walk.met.len(), "met twice");
            let keys: BTreeSet<_> = walk.met.iter().map(|(key, _)| key).collect();
            prop_assert_eq!(keys.len(), walk.met.len(), "a key met twice");
            prop_assert!(walk.throughout.is_subset(&met), "missed: {:?}", walk.throughout.difference(&met));
        }
        let met: Vec<_> = first.met.iter().chain(&tail.met).cloned().collect();
        let distinct: BTreeSet<_> = met.iter().cloned().collect();
        prop_assert_eq!(distinct.len(), met.len(), "met in the walk and in its tail");
        // Topics are bound and unbound while a walk goes on; what a session is never changes otherwise.
        if first.filter.selector.topic.is_none() {
            let after = matching(&run, &whole);
            let stayed: BTreeSet<_> = at_tail.intersection(&after).cloned().collect();
            prop_assert!(stayed.is_subset(&distinct), "missed by both: {:?}", stayed.difference(&distinct));
        }
    }
}
