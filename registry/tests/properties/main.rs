//! What holds for every sequence of commands.

mod configs;
mod hostile;
mod model;
mod rebuild;
mod step;
mod views;
mod walk;

use std::collections::BTreeSet;

use keeper_registry::{
    Command, LogTime, Outcome, PresenceLimits, Revision, SessionFilter, SessionKey, Stamp, State, StateId, Thawing,
};
use model::Model;
use proptest::{collection::vec, prelude::*};
use step::{Step, key, step};

/// A state that has run some steps, and the log they made.
pub(crate) struct Run {
    pub(crate) state: State,
    log: Vec<(Stamp, Command)>,
    pub(crate) at: Stamp,
}

impl Run {
    pub(crate) fn new() -> Self {
        // The first entry of a log holds no command.
        let at = Stamp { revision: Revision(1), time: LogTime(0) };
        let mut run = Self { state: State::new(PresenceLimits::default()), log: Vec::new(), at };
        run.apply(Command::Found(StateId(7)));
        run
    }

    pub(crate) fn apply(&mut self, command: Command) -> Outcome {
        self.log.push((self.at, command.clone()));
        self.state.apply(self.at, &command)
    }

    /// Some steps share an entry with the one before.
    pub(crate) fn step(&mut self, step: &Step) -> (Command, Outcome) {
        if !step.same_entry {
            self.at.revision = Revision(self.at.revision.0 + 1);
            self.at.time = LogTime(self.at.time.0 + step.later_ms);
        }
        let command = step.command(&self.state);
        (command.clone(), self.apply(command))
    }

    pub(crate) fn steps(steps: &[Step]) -> Self {
        let mut run = Self::new();
        steps.iter().for_each(|step| drop(run.step(step)));
        run
    }

    pub(crate) fn live_keys(&self) -> BTreeSet<SessionKey> {
        let page = self.state.sessions_page(None, usize::MAX, &SessionFilter::default());
        page.sessions.iter().map(|view| view.key()).collect()
    }
}

pub(crate) fn rebuilt(state: &State) -> State {
    let mut thawing = Thawing::new(PresenceLimits::default());
    let read = state.freeze().visit(|record| thawing.push(record));
    read.and_then(|()| thawing.finish()).unwrap_or_else(|error| panic!("the state could not be rebuilt: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// The same log gives the same outcomes and the same hash.
    #[test]
    fn replay_agrees(steps in vec(step(), 0..80)) {
        let mut run = Run::new();
        let outcomes: Vec<_> = steps.iter().map(|step| run.step(step).1).collect();
        let mut again = State::new(PresenceLimits::default());
        let replayed: Vec<_> = run.log.iter().map(|(at, command)| again.apply(*at, command)).collect();
        prop_assert_eq!(&replayed[1..], &outcomes[..]);
        prop_assert_eq!(again.hash(), run.state.hash());
    }

    /// A snapshot in the middle changes nothing that comes after it. The hash of a rebuilt state is computed from its
    /// parts alone, so this also holds the incremental hash against one from scratch.
    #[test]
    fn a_rebuilt_state_goes_on_alike(before in vec(step(), 0..60), after in vec(step(), 0..40)) {
        let mut run = Run::steps(&before);
        let mut other = rebuilt(&run.state);
        prop_assert_eq!(other.hash(), run.state.hash());
        for step in &after {
            let (command, outcome) = run.step(step);
            prop_assert_eq!(other.apply(run.at, &command), outcome);
            prop_assert_eq!(other.hash(), run.state.hash());
            prop_assert_eq!(other.next_sweep(), run.state.next_sweep());
        }
        prop_assert!(other.presence().read_all().iter().eq(run.state.presence().read_all().iter()));
    }

    /// What was frozen is what was there, whatever is written before it is given out.
    #[test]
    fn a_snapshot_does_not_see_later_writes(before in vec(step(), 0..60), after in vec(step(), 0..40)) {
        let mut run = Run::steps(&before);
        let (hash, keys) = (run.state.hash(), run.live_keys());
        let frozen = run.state.freeze();
        after.iter().for_each(|step| drop(run.step(step)));
        let mut thawing = Thawing::new(PresenceLimits::default());
        let read = frozen.visit(|record| thawing.push(record));
        let old = read.and_then(|()| thawing.finish());
        prop_assert!(old.is_ok(), "{:?}", old.err());
        if let Ok(state) = old {
            let old = Run { state, log: Vec::new(), at: run.at };
            prop_assert_eq!(old.state.hash(), hash);
            prop_assert_eq!(old.live_keys(), keys);
        }
    }

    /// A model of ordered maps, without pages, indexes or slices, decides alike.
    #[test]
    fn the_model_agrees(steps in vec(step(), 0..80)) {
        let mut run = Run::new();
        let mut model = Model::default();
        for step in &steps {
            let (command, outcome) = run.step(step);
            model.apply(run.at, &command, &outcome);
            model.compare(&run.state);
        }
    }

    /// Any command at any time, however senseless: no panic, and replicas still agree.
    #[test]
    fn nothing_panics(
        before in vec(step(), 0..20),
        commands in vec((hostile::stamp(), hostile::command()), 0..40),
        raised in any::<bool>(),
    ) {
        let mut run = if raised { Run::raised() } else { Run::new() };
        before.iter().for_each(|step| drop(run.step(step)));
        let mut other = rebuilt(&run.state);
        for (at, command) in commands {
            prop_assert_eq!(run.state.apply(at, &command), other.apply(at, &command));
            prop_assert_eq!(run.state.hash(), other.hash());
        }
        prop_assert_eq!(rebuilt(&run.state).hash(), run.state.hash());
    }
}

/// The steps are not so random that nothing happens: every reply, most refusals and every kind of fact do occur.
#[test]
fn steps_reach_everything() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let mut kinds = BTreeSet::new();
    for _ in 0..64 {
        let Ok(steps) = vec(step(), 100).new_tree(&mut runner) else { continue };
        let mut run = Run::new();
        let mut said: Vec<_> = steps.current().iter().map(|step| format!("{:?}", run.step(step).1.reply)).collect();
        said.extend(run.state.presence().read_all().iter().map(|fact| format!("{:?}", fact.what)));
        for said in said {
            let words = said.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
            kinds.extend(words.filter(|word| word.starts_with(char::is_uppercase)).map(str::to_owned));
        }
    }
    let wanted = [
        "Frame",
        "Registered",
        "Done",
        "Refused",
        "StaleEpoch",
        "StaleConnSeq",
        "NotBound",
        "SequenceGap",
        "ReplyForgotten",
        "Kicked",
        "KickStepped",
        "GivenUp",
        "Restored",
        "OutOfRange",
        "Opened",
        "Closed",
        "Swept",
        "Published",
        "RevisionMismatch",
        "ControlSent",
        "Acknowledged",
        "IncarnationClosed",
        "RequestIdReused",
        "TooManySlots",
        "NotFound",
        "Quota",
        "Online",
        "Offline",
        "Moved",
        "Reconnected",
        "Dropped",
        "Left",
        "Lost",
        "GatewayClosed",
        "GatewayExpired",
        "GatewayReplaced",
        "Unbound",
        "Unconfirmed",
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|kind| !kinds.contains(*kind)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
    assert_eq!(key(0, 0).user.len(), 1);
}
