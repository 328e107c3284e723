//! The ends of what is kept of configs: forgotten deletions, past versions, schemas, layers, rollouts.

use bytes::Bytes;
use keeper_registry::{
    Announce, Command, Consumed, DocumentAction, DocumentChange, Format, Gates, HistoryPolicy, Incarnation,
    InstanceSelector, Keep, Level, Policy, Publish, RaiseLevel, Rejection, Reply, Revision, SchemaHash, Stage,
    StartRollout, StopCause, StopRollout, VersionAt, Witness, limits,
};

use crate::machine::Machine;

fn raised() -> Machine {
    let mut machine = Machine::new();
    let raise = RaiseLevel { to: Level::NEWEST, needs: "0.3.0".to_owned(), author: String::new() };
    machine.apply(Command::RaiseLevel(raise)).expect("a newer level");
    machine
}

fn put(text: &str) -> DocumentAction {
    let text = Bytes::copy_from_slice(text.as_bytes());
    DocumentAction::Put { format: Format::Json, value: text.clone(), text, policy: None }
}

fn full(what: &'static str, limit: usize) -> Rejection {
    Rejection::Full { what, limit: limit as u64 }
}

/// A layer that came, went and was forgotten must not leave the revision that a publish was judged by before it.
#[test]
fn a_witness_never_goes_back_to_what_was() {
    let mut machine = raised();
    machine.put("a", "1".to_owned());
    machine.put(&format!("{}a", limits::SCHEMA_PREFIX), "1".to_owned());
    let (layers, schemas) = (machine.state.layers_revision("a"), machine.state.schemas_revision());
    for path in ["a@zone=z".to_owned(), format!("{}b", limits::SCHEMA_PREFIX)] {
        machine.put(&path, "1".to_owned());
        machine.publish(&path, DocumentAction::Delete).expect("it is there");
    }
    for path in 0..limits::DELETIONS_KEPT {
        machine.put(&format!("p/{path}"), "1".to_owned());
        machine.publish(&format!("p/{path}"), DocumentAction::Delete).expect("it is there");
    }
    assert_eq!(machine.state.history("a@zone=z", 1).count(), 0, "it is forgotten");
    for _ in 0..2 {
        let state = &machine.state;
        assert!(state.layers_revision("a") > layers && state.schemas_revision() > schemas);
        // Of another path, too: which deletions are forgotten is not known.
        assert!(state.layers_revision("other") > Revision(0));
        assert_eq!(state.version_at("other", Revision(3)), VersionAt::Pruned { oldest: None });
        assert_eq!(state.version_at("other", state.revision()), VersionAt::Never);
        machine.rebuild();
    }
    let judged = vec![Witness::Layers { path: "a".to_owned(), revision: layers }];
    let changes = vec![DocumentChange { path: "a".to_owned(), expected: None, action: put("2") }];
    let refused = machine.apply(Command::Publish(Publish { changes, judged, ..Publish::default() }));
    assert!(matches!(refused, Err(Rejection::Moved { .. })), "{refused:?}");
}

#[test]
fn one_entry_drops_a_slice_of_the_past() {
    let mut machine = raised();
    for text in 0..limits::HISTORY_KEPT {
        machine.put("many", text.to_string());
        machine.put("more", text.to_string());
    }
    let policy = HistoryPolicy { all: Keep { versions_max: Some(0), age_ms_max: None }, ..HistoryPolicy::default() };
    let DocumentAction::Put { format, text, value, .. } = put("{}") else { panic!("a put") };
    let action = DocumentAction::Put { format, text, value, policy: Some(Policy::History(policy.into())) };
    machine.publish(limits::HISTORY_PATH, action).expect("a policy");
    let past = |machine: &Machine| {
        let versions = ["many", "more"].map(|path| machine.state.history(path, usize::MAX).count());
        versions.into_iter().sum::<usize>() - 2
    };
    let mut left = 2 * (limits::HISTORY_KEPT - 1) - limits::HISTORY_SLICE;
    while left > 0 {
        assert_eq!(past(&machine), left);
        machine.rebuild();
        assert!(machine.state.next_sweep().is_some_and(|due| due <= machine.at.time));
        left = left.saturating_sub(limits::HISTORY_SLICE);
        let swept = machine.apply(Command::Sweep);
        assert_eq!(swept, Ok(Reply::Swept { rows: 0, more: left > 0 }));
    }
    assert_eq!((past(&machine), machine.state.config("many").is_some()), (0, true));
}

#[test]
fn a_path_has_so_many_layers() {
    let mut machine = raised();
    for layer in 0..limits::LAYERS_MAX {
        machine.put(&format!("a@zone=z{layer}"), "1".to_owned());
    }
    let one_more = machine.publish("a@zone=more", put("1"));
    assert_eq!(one_more, Err(full("layers of a document", limits::LAYERS_MAX)));
    machine.put("a", "1".to_owned());
    machine.put("b@zone=more", "1".to_owned());
    machine.put("a@zone=z0", "2".to_owned());
    // One goes as another comes.
    let change = |path: &str, action| DocumentChange { path: path.to_owned(), expected: None, action };
    let changes = vec![change("a@zone=more", put("1")), change("a@zone=z0", DocumentAction::Delete)];
    machine.apply(Command::Publish(Publish { changes, ..Publish::default() })).expect("as many as before");
    machine.rebuild();
    assert_eq!(machine.publish("a@zone=z0", put("1")), Err(full("layers of a document", limits::LAYERS_MAX)));
}

fn announce(incarnation: Incarnation, number: usize, schemas: usize, bytes: usize) -> Command {
    let schema = |place| Bytes::from(format!("{number}/{place}{}", " ".repeat(bytes)));
    let schemas: Vec<_> = (0..schemas).map(schema).collect();
    let reads = |(place, schema): (usize, &Bytes)| Consumed {
        path: format!("p/{place}").into(),
        schema: Some(SchemaHash::of(schema)),
    };
    let documents = schemas.iter().enumerate().map(reads).collect();
    Command::Announce(Announce { incarnation, documents, schemas })
}

#[test]
fn schemas_are_bounded_and_go_with_their_processes() {
    let mut machine = raised();
    let rounds = limits::SCHEMAS_MAX / limits::CONSUMED_MAX;
    let opened: Vec<_> = (0..=rounds).map(|number| machine.open(&number.to_string())).collect();
    for (number, incarnation) in opened.iter().take(rounds).enumerate() {
        machine.apply(announce(*incarnation, number, limits::CONSUMED_MAX, 0)).expect("there is room");
    }
    let refused = machine.apply(announce(opened[rounds], rounds, 1, 0));
    assert_eq!(refused, Err(full("schemas", limits::SCHEMAS_MAX)));
    machine.rebuild();
    machine.apply(Command::Expire(opened[0])).expect("it is open");
    machine.apply(announce(opened[rounds], rounds, 1, 0)).expect("there is room again");
    assert!(machine.state.schema(SchemaHash::of(b"0/0")).is_none());

    let too_many = machine.apply(announce(opened[1], 1, limits::CONSUMED_MAX + 1, 0));
    assert!(matches!(too_many, Err(Rejection::TooLarge { field: "schemas", .. })), "{too_many:?}");
    let too_large = machine.apply(announce(opened[1], 1, 40, 60_000));
    assert!(matches!(too_large, Err(Rejection::TooLarge { field: "schema", .. })), "{too_large:?}");
}

fn start(path: &str, text: String) -> Command {
    let changes = vec![DocumentChange { path: path.to_owned(), expected: None, action: put(&text) }];
    let stages = vec![Stage { selector: InstanceSelector::default(), share_bps: 100, hold_ms: None }];
    let publish = Publish { changes, ..Publish::default() };
    Command::StartRollout(StartRollout { publish, stages, gates: Gates::default() })
}

fn stop(machine: &mut Machine, rollout: u64) {
    let (reason, author) = (String::new(), String::new());
    let stop = StopRollout { rollout, cause: StopCause::Aborted, reason, author };
    machine.apply(Command::StopRollout(stop)).expect("it is under way");
}

fn started(machine: &mut Machine, path: &str, text: String) -> u64 {
    match machine.apply(start(path, text)) {
        Ok(Reply::Rollout { rollout, .. }) => rollout,
        other => panic!("{path} is not rolled out: {other:?}"),
    }
}

#[test]
fn rollouts_are_bounded_and_forgotten_ones_raise_the_floor() {
    let mut machine = raised();
    let first = started(&mut machine, "first", "1".to_owned());
    stop(&mut machine, first);
    let ended = machine.at.revision;
    for number in 0..limits::ROLLOUTS_KEPT - 1 {
        let rollout = started(&mut machine, &format!("p/{number}"), "1".to_owned());
        stop(&mut machine, rollout);
    }
    assert!(machine.state.rollout(first).is_some() && machine.state.rollouts_changed_since(Revision(0)).is_some());
    let under_way: Vec<_> = (0..limits::ROLLOUTS_UNDER_WAY_MAX)
        .map(|number| started(&mut machine, &format!("q/{number}"), "1".to_owned()))
        .collect();
    for _ in 0..2 {
        assert_eq!(machine.state.rollouts().count(), limits::ROLLOUTS_KEPT);
        assert!(machine.state.rollout(first).is_none());
        assert_eq!(machine.state.rollouts_changed_since(ended), None, "ends after it are forgotten, too");
        let since = machine.state.rollouts_changed_since(machine.at.revision).map(|rollouts| rollouts.len());
        assert_eq!(since, Some(0));
        let refused = machine.apply(start("more", "1".to_owned()));
        assert_eq!(refused, Err(full("rollouts under way", limits::ROLLOUTS_UNDER_WAY_MAX)));
        machine.rebuild();
    }
    under_way.into_iter().for_each(|rollout| stop(&mut machine, rollout));
}

#[test]
fn the_bytes_of_rollouts_are_bounded() {
    let mut machine = raised();
    let text = |number: usize| format!("{number:08}{}", "x".repeat(limits::DOCUMENT_BYTES_MAX - 8));
    // Text and value are both counted, and a key beside them.
    let fit = limits::ROLLOUT_BYTES_KEPT / (2 * limits::DOCUMENT_BYTES_MAX + limits::KEY_BYTES_MAX);
    let first = started(&mut machine, "p/0", text(0));
    for number in 1..fit {
        started(&mut machine, &format!("p/{number}"), text(number));
    }
    assert_eq!(machine.apply(start("more", text(99))), Err(full("bytes of rollouts", limits::ROLLOUT_BYTES_KEPT)));
    assert!(machine.state.rollout(first).is_some(), "a refusal forgets nothing");
    stop(&mut machine, first);
    machine.rebuild();
    started(&mut machine, "more", text(99));
    assert!(machine.state.rollout(first).is_none(), "what has ended makes room");
}
