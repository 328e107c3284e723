//! Documents with layers, who reads them, and how they are rolled out: what holds for every sequence of commands at the
//! level that brought them.

mod consumers;
mod hostile;
mod layers;
mod rollouts;
mod step;

pub(crate) use hostile::hostile;
use keeper_registry::{Command, Level, LogTime, Outcome, RaiseLevel};
use proptest::{collection::vec, prelude::*};
use step::{Step, step};

use crate::{Run, rebuilt};

const PATHS: [&str; 3] = ["push/a", "push/b", "log/c"];
const SCHEMAS: [&str; 2] = ["S1", "S2"];

impl Run {
    /// At the newest level.
    pub(crate) fn raised() -> Self {
        let mut run = Self::new();
        let raise = RaiseLevel { to: Level::NEWEST, needs: "0.3.0".to_owned(), author: String::new() };
        let raised = run.apply(Command::RaiseLevel(raise)).reply;
        assert!(raised.is_ok(), "{raised:?}");
        run
    }

    /// Some steps share an entry with the one before.
    fn take(&mut self, step: &Step) -> (Command, Outcome) {
        if !step.same_entry {
            self.at.revision.0 += 1;
            self.at.time = LogTime(self.at.time.0 + step.later_ms);
        }
        let command = step.command(&self.state);
        (command.clone(), self.apply(command))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// A snapshot in the middle changes nothing that comes after it.
    #[test]
    fn a_rebuilt_state_of_configs_goes_on_alike(before in vec(step(), 0..60), after in vec(step(), 0..40)) {
        let mut run = Run::raised();
        before.iter().for_each(|step| drop(run.take(step)));
        let mut other = rebuilt(&run.state);
        prop_assert_eq!(other.hash(), run.state.hash());
        for step in &after {
            let (command, outcome) = run.take(step);
            prop_assert_eq!(other.apply(run.at, &command), outcome);
            prop_assert_eq!(other.hash(), run.state.hash());
            prop_assert_eq!(other.next_sweep(), run.state.next_sweep());
            for path in PATHS {
                prop_assert_eq!(other.layers_revision(path), run.state.layers_revision(path));
                prop_assert_eq!(other.consumers_revision(path), run.state.consumers_revision(path));
            }
        }
        prop_assert_eq!(rebuilt(&run.state).hash(), run.state.hash());
    }
}

/// The steps are not so random that nothing happens.
#[test]
fn steps_of_configs_reach_everything() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};

    let mut runner = TestRunner::deterministic();
    let mut said = String::new();
    for _ in 0..64 {
        let Ok(steps) = vec(step(), 100).new_tree(&mut runner) else { continue };
        let mut run = Run::raised();
        for step in steps.current() {
            said.push_str(&format!("{:?}", run.take(&step).1.reply));
        }
    }
    let wanted = [
        "Published",
        "Announced",
        "Moved",
        "RollingOut",
        "RolloutIs",
        "Running",
        "Paused",
        "Promoted",
        "Aborted",
        "Stopped",
        "Swept",
        "Restored",
        "RevisionMismatch",
        "\"schema\"",
        "\"rollout\"",
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|kind| !said.contains(kind)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
}
