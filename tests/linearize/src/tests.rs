//! Small histories, sound and broken, and a comparison with the definition itself.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;

fn step(began: usize, ended: usize, action: Action) -> Step {
    Step { began, ended, action }
}

fn unknown(began: usize, action: Action) -> Step {
    step(began, NEVER, action)
}

fn verdict(steps: &[Step]) -> Result<(), String> {
    check(steps, STEPS_MAX).map_err(|it| it.why)
}

fn lines(steps: &[Step]) -> Vec<usize> {
    check(steps, STEPS_MAX).expect_err("it is broken").steps.iter().map(|it| it.began).collect()
}

#[test]
fn concurrent_operations_may_come_in_any_order() {
    let sound = [
        step(1, 4, Action::Write(1)),
        step(2, 5, Action::Write(2)),
        step(3, 6, Action::Read(Some(1))),
        step(7, 8, Action::Read(Some(2))),
    ];
    assert_eq!(verdict(&sound), Ok(()));
    assert_eq!(verdict(&[]), Ok(()));
}

#[test]
fn an_unknown_write_may_take_effect_late_or_never() {
    let late = [unknown(1, Action::Write(1)), step(2, 3, Action::Read(None)), step(4, 5, Action::Read(Some(1)))];
    assert_eq!(verdict(&late), Ok(()));
    assert_eq!(verdict(&[unknown(1, Action::Write(1)), step(2, 3, Action::Read(None))]), Ok(()));
    let twice = [&late[..], &[step(6, 7, Action::Read(None))]].concat();
    assert!(verdict(&twice).is_err());
}

#[test]
fn a_stale_read_is_found_at_sight() {
    let stale = [
        step(1, 2, Action::Write(1)),
        step(3, 4, Action::Write(2)),
        step(5, 6, Action::Read(Some(2))),
        step(7, 8, Action::Read(Some(1))),
    ];
    assert_eq!(verdict(&stale), Err("held 1 and 2 at once".into()));
    assert_eq!(lines(&stale), [1, 3, 5, 7]);
}

#[test]
fn a_value_from_nowhere_or_from_the_future_is_found_at_sight() {
    assert_eq!(verdict(&[step(1, 2, Action::Read(Some(7)))]), Err("saw 7, which nobody wrote".into()));
    let early = [step(1, 2, Action::Read(Some(7))), step(3, 4, Action::Write(7))];
    assert_eq!(verdict(&early), Err("saw 7 before its write began".into()));
}

#[test]
fn a_lost_write_is_found_and_explained_by_two_operations() {
    let lost = [
        step(1, 2, Action::Write(1)),
        step(3, 4, Action::Read(Some(1))),
        step(5, 6, Action::Write(2)),
        step(7, 8, Action::Read(None)),
        step(9, 10, Action::Write(3)),
        step(11, 12, Action::Read(Some(3))),
    ];
    assert_eq!(lines(&lost), [5, 7]);
}

#[test]
fn two_replacements_of_one_value_are_found() {
    let forked = [
        step(1, 2, Action::Write(1)),
        step(3, 5, Action::Replace { from: Some(1), to: 2 }),
        step(4, 6, Action::Replace { from: Some(1), to: 3 }),
    ];
    assert_eq!(lines(&forked), [1, 3, 4]);
}

#[test]
fn a_swap_must_have_seen_what_was_there() {
    let swap = |was| [step(1, 2, Action::Swap { was: None, to: 1 }), step(3, 4, Action::Swap { was, to: 2 })];
    assert_eq!(verdict(&swap(Some(1))), Ok(()));
    assert_eq!(lines(&swap(None)), [1, 3]);
}

#[test]
fn what_was_removed_is_gone() {
    let removed = |seen| [step(1, 2, Action::Write(1)), step(3, 4, Action::Remove(1)), step(5, 6, Action::Read(seen))];
    assert_eq!(verdict(&removed(None)), Ok(()));
    assert!(verdict(&removed(Some(1))).is_err());
    // A session that a second unregister found again.
    let twice = [step(1, 2, Action::Write(1)), step(3, 4, Action::Remove(1)), step(5, 6, Action::Remove(1))];
    assert!(verdict(&twice).is_err());
}

#[test]
fn what_was_ended_is_gone_whether_it_was_there_or_not() {
    let ended = |seen| [step(1, 2, Action::Write(1)), step(3, 4, Action::End(1)), step(5, 6, Action::Read(seen))];
    assert_eq!(verdict(&ended(None)), Ok(()));
    assert!(verdict(&ended(Some(1))).is_err());
    let other = [step(1, 2, Action::Write(1)), step(3, 4, Action::End(2)), step(5, 6, Action::Read(Some(1)))];
    assert_eq!(verdict(&other), Ok(()));
}

#[test]
fn an_unseen_write_that_was_ended_explains_what_is_gone() {
    let gone = [
        step(1, 2, Action::Write(1)),
        unknown(3, Action::Write(2)),
        unknown(4, Action::End(2)),
        step(5, 6, Action::Read(None)),
    ];
    assert_eq!(verdict(&gone), Ok(()));
}

#[test]
fn a_search_that_is_given_up_is_no_proof() {
    let sound = [step(1, 2, Action::Write(1)), step(3, 4, Action::Read(Some(1)))];
    let given_up = check(&sound, 1).expect_err("two steps are needed");
    assert!(given_up.why.contains("within 1 steps"), "{}", given_up.why);
}

/// By definition: some order of the known and of some unknown operations, none before one that ended before it began.
fn by_definition(steps: &[Step], held: Held) -> bool {
    if steps.iter().all(Step::is_unknown) {
        return true;
    }
    let first_end = steps.iter().map(|it| it.ended).min().unwrap_or(NEVER);
    steps.iter().enumerate().filter(|(_, it)| it.began < first_end).any(|(at, it)| {
        let rest = [&steps[..at], &steps[at + 1..]].concat();
        it.action.apply(held).is_some_and(|held| by_definition(&rest, held))
    })
}

/// Operations of three clients that take effect at one moment within their time, and lie now and then.
fn chance(random: &mut StdRng) -> Vec<Step> {
    let mut held: Held = None;
    let mut line = 0;
    let mut ready = [0usize; 3];
    let mut steps = Vec::new();
    for value in 1..=6 {
        line += 1;
        let client = random.random_range(0..3);
        let began = ready[client] + random.random_range(1..4);
        let seen = if random.random_bool(0.15) { Some(random.random_range(1..=6)) } else { held };
        let action = match random.random_range(0..6) {
            0 => Action::Write(value),
            1 => Action::Swap { was: seen, to: value },
            2 => Action::Replace { from: seen, to: value },
            3 => seen.map_or(Action::Read(None), Action::Remove),
            4 => Action::End(seen.unwrap_or(value)),
            _ => Action::Read(seen),
        };
        held = action.apply(held).unwrap_or(held);
        let ended = began + random.random_range(1..6);
        ready[client] = ended;
        let is_unknown = random.random_bool(0.15) && !matches!(action, Action::Read(_));
        steps.push(Step {
            began: began * 10 + line,
            ended: if is_unknown { NEVER } else { ended * 10 + line },
            action,
        });
    }
    steps.sort_by_key(|it| it.began);
    steps
}

#[test]
fn the_search_agrees_with_the_definition() {
    let mut random = StdRng::seed_from_u64(7);
    let (mut sound, mut broken) = (0, 0);
    for _ in 0..4_000 {
        let steps = chance(&mut random);
        let expected = by_definition(&steps, None);
        let checked = check(&steps, STEPS_MAX);
        assert_eq!(checked.is_ok(), expected, "{steps:?}");
        if let Err(contradiction) = checked {
            assert!(!by_definition(&contradiction.steps, None), "{steps:?}: {contradiction:?} is explained");
            broken += 1;
        } else {
            sound += 1;
        }
    }
    assert!(sound > 300 && broken > 300, "{sound} sound, {broken} broken: too few of one kind");
}
