//! What is refused while the disks have no room for more.
//!
//! Refused is what makes the state larger for good: new sessions, topics bound to sessions, documents, and the rollouts
//! that become documents. Everything that
//! ends, deletes, settles or answers goes on, and so does what is bounded by other limits and ends by itself: actions
//! end by their deadlines, and without an open incarnation a gateway could end nothing.
//!
//! A frame holds operations of both kinds, and takes its number in the order of its gateway. So it is proposed all the
//! same, in a form in which the state refuses those that would add something, each at its place. That form came with
//! level 2. Before, a frame is proposed as it is: to refuse all of it would leave a gap in its gateway's numbers, and
//! nothing could end.

use keeper_registry::{Command, DocumentAction, Level, Publish, Rejection, Shortage, StartRollout};

use crate::problem::Problem;

/// What a cluster of a level is asked of a command during a shortage.
pub(super) fn spare(command: Command, shortage: Shortage, level: Level) -> Result<Command, Problem> {
    match command {
        Command::Frame(frame) if level < Level::NAMED => Ok(Command::Frame(frame)),
        Command::Frame(frame) | Command::FrameSparing(frame, _) => Ok(Command::FrameSparing(frame, shortage)),
        Command::StartRollout(StartRollout { ref publish, .. }) | Command::Publish(ref publish) if writes(publish) => {
            Err(Problem::Rejected(Rejection::Shortage(shortage)))
        }
        // It publishes what is held twice from then on.
        Command::PromoteRollout(_) => Err(Problem::Rejected(Rejection::Shortage(shortage))),
        Command::Found(_)
        | Command::Kick(_)
        | Command::KickStep
        | Command::OpenInstance(_)
        | Command::CloseInstance(_)
        | Command::Expire(_)
        | Command::Sweep
        | Command::GiveUp(_)
        | Command::Restore(_)
        | Command::Publish(_)
        | Command::SendControl(_)
        | Command::AcknowledgeControl(_)
        | Command::ReserveNode(_)
        | Command::RetireNode(_)
        | Command::RaiseLevel(_)
        | Command::Announce(_)
        | Command::StartRollout(_)
        | Command::AdvanceRollout(_)
        | Command::PauseRollout(_)
        | Command::ResumeRollout(_)
        | Command::StopRollout(_) => Ok(command),
    }
}

/// A publish that only removes documents leaves no more than was there.
fn writes(publish: &Publish) -> bool {
    publish.changes.iter().any(|change| match &change.action {
        DocumentAction::Put { .. } => true,
        DocumentAction::Delete => false,
    })
}

#[cfg(test)]
mod tests {
    use keeper_registry::{DocumentChange, Format, Frame, Gates, Incarnation, PromoteRollout, StateId, StepRollout};

    use super::*;

    const SHORTAGE: Shortage = Shortage { node: 2, free_bytes: 1, needed_bytes: 2 };

    fn publish(actions: Vec<DocumentAction>) -> Command {
        let change = |action| DocumentChange { path: "app".to_owned(), expected: None, action };
        let changes = actions.into_iter().map(change).collect();
        Command::Publish(Publish { changes, ..Publish::default() })
    }

    fn put() -> DocumentAction {
        DocumentAction::Put { format: Format::Json, text: "1".into(), value: "1".into(), policy: None }
    }

    #[test]
    fn documents_are_removed_and_not_written() {
        assert!(spare(publish(vec![DocumentAction::Delete]), SHORTAGE, Level::FIRST).is_ok());
        let refused = spare(publish(vec![DocumentAction::Delete, put()]), SHORTAGE, Level::FIRST);
        assert_eq!(refused, Err(Problem::Rejected(Rejection::Shortage(SHORTAGE))));
    }

    #[test]
    fn a_frame_goes_on_and_says_that_there_is_a_shortage() {
        let frame = Frame {
            incarnation: Incarnation(1),
            sequence: 1,
            state: StateId(7),
            operations: Vec::new(),
            confirmed: None,
            flush_remaining: None,
        };
        let spared = |level| spare(Command::Frame(frame.clone()), SHORTAGE, level);
        assert_eq!(spared(Level::FIRST), Ok(Command::Frame(frame.clone())), "the first release reads no other");
        assert_eq!(spared(Level::NAMED), Ok(Command::FrameSparing(frame.clone(), SHORTAGE)));
        assert_eq!(spare(Command::Sweep, SHORTAGE, Level::NAMED), Ok(Command::Sweep));
    }

    #[test]
    fn rollouts_end_and_do_not_begin() {
        let Command::Publish(publish) = publish(vec![put()]) else { panic!("a publish") };
        let pause = StepRollout { rollout: 1, author: String::new() };
        assert_eq!(
            spare(Command::PauseRollout(pause.clone()), SHORTAGE, Level::NEWEST),
            Ok(Command::PauseRollout(pause))
        );
        let start = StartRollout { publish, stages: Vec::new(), gates: Gates::default() };
        let (from_stage, judged, forced, author) = (None, Vec::new(), None, String::new());
        let promote = PromoteRollout { rollout: 1, from_stage, judged, forced, author };
        for grows in [Command::StartRollout(start), Command::PromoteRollout(promote)] {
            assert_eq!(spare(grows, SHORTAGE, Level::NEWEST), Err(Problem::Rejected(Rejection::Shortage(SHORTAGE))));
        }
    }
}
