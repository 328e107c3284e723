//! A state as commands build it, and what is said of publishes to it.

use std::collections::BTreeSet;

use bytes::Bytes;
use keeper_registry::limits::SCHEMA_BYTES_MAX;
use keeper_registry::{
    Announce, Command, Consumed, DocumentAction, DocumentChange, Incarnation, Level, LogTime, OpenInstance, Publish,
    RaiseLevel, Rejection, Reply, Revision, SchemaHash, Stamp, State, StateId,
};
use proptest::prelude::*;

use super::*;

const ROOM: &str = r#"{"type":"object","required":["push"],"properties":{"push":{"type":"object","properties":{
    "max_inflight":{"type":"integer","maximum":65535},"token":{"type":"string","maxLength":4}}}}}"#;

const PATH: &str = "push/room.toml";

struct World {
    state: State,
    compiled: Compiled,
    keys: KeyRing,
}

impl World {
    fn new() -> Self {
        let mut world = Self { state: State::default(), compiled: Compiled::default(), keys: KeyRing::default() };
        world.apply(Command::Found(StateId(1)));
        let raise = RaiseLevel { to: Level::CONFIGS, needs: "0.3.0".to_owned(), author: "a".to_owned() };
        world.apply(Command::RaiseLevel(raise));
        world
    }

    fn try_apply(&mut self, command: &Command) -> Result<Reply, Rejection> {
        let revision = Revision(self.state.revision().0 + 1);
        self.state.apply(Stamp { revision, time: LogTime(revision.0) }, command).reply
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.try_apply(&command).unwrap_or_else(|rejection| panic!("{rejection:?}: {command:?}"))
    }

    fn process(&mut self, version: &str, id: &str, zone: &str, schema: Option<&str>) -> Incarnation {
        let open = OpenInstance {
            service: "room".to_owned(),
            id: id.to_owned(),
            endpoints: Vec::new(),
            zone: zone.to_owned(),
            weight: 1,
            labels: vec![("ring".to_owned(), zone.to_owned())],
            version: version.to_owned(),
            ttl_ms: 10_000,
            former_state: None,
            flush_total: 0,
            request: None,
        };
        self.apply(Command::OpenInstance(open));
        let incarnation = self.state.instance_named("room", id).expect("it is open").incarnation;
        let schemas: Vec<_> = schema.map(|schema| Bytes::copy_from_slice(schema.as_bytes())).into_iter().collect();
        let schema = schemas.first().map(|schema| SchemaHash::of(schema));
        let documents = vec![Consumed { path: PATH.into(), schema }];
        self.apply(Command::Announce(Announce { incarnation, documents, schemas }));
        incarnation
    }

    fn judge(&self, publish: &Publish) -> Result<Verdict, Refusal> {
        Case::of(&self.state, publish)?.judge(&self.compiled, &self.keys)
    }

    fn refusal(&self, publish: &Publish) -> String {
        self.judge(publish).expect_err("it is to be refused").to_string()
    }

    /// As a proposer does it.
    fn publish(&mut self, publish: Publish) {
        let verdict = self.judge(&publish).unwrap_or_else(|refusal| panic!("{refusal}"));
        self.apply(Command::Publish(Publish { judged: verdict.witnesses, ..publish }));
    }
}

fn put(key: &str, json: &str) -> DocumentChange {
    let value = canonical(&format::parse(Format::Json, json).expect("it is JSON"));
    let action = DocumentAction::Put { format: Format::Json, text: value.clone(), value, policy: None };
    DocumentChange { path: key.to_owned(), expected: None, action }
}

fn delete(key: &str) -> DocumentChange {
    DocumentChange { path: key.to_owned(), expected: None, action: DocumentAction::Delete }
}

fn publish(changes: impl IntoIterator<Item = DocumentChange>) -> Publish {
    Publish { changes: changes.into_iter().collect(), author: "ann".to_owned(), ..Publish::default() }
}

fn one(key: &str, json: &str) -> Publish {
    publish([put(key, json)])
}

#[test]
fn processes_that_cannot_read_it_are_counted() {
    let mut world = World::new();
    for n in 0..37 {
        world.process("1.4.2", &format!("old-{n}"), "eu", Some(ROOM));
    }
    world.process("1.5.0", "new", "us", None);
    world.publish(one(PATH, r#"{"push":{"max_inflight":1}}"#));
    let refusal = world.refusal(&one(PATH, r#"{"push":{"max_inflight":70000}}"#));
    assert_eq!(
        refusal,
        "push/room.toml: 37 instances of room 1.4.2 cannot read push.max_inflight: 70000 is greater than the maximum of \
         65535"
    );
    let zone = "push/room.toml@zone=us";
    world.publish(one(zone, r#"{"push":{"max_inflight":70000}}"#));
    world.process("1.4.2", "moved", "us", Some(ROOM));
    assert_eq!(
        world.refusal(&one(PATH, r#"{"push":{"max_inflight":2}}"#)),
        "push/room.toml with zone=us: 1 instance of room 1.4.2 cannot read push.max_inflight: 70000 is greater than the \
         maximum of 65535",
        "a base reaches those with a layer above it"
    );
    world.publish(one("push/room.toml@zone=eu", r#"{"push":{"max_inflight":3}}"#));
    world.publish(one(zone, r#"{"push":{"max_inflight":null}}"#));
    world.publish(one(PATH, r#"{"push":{"max_inflight":2}}"#));
}

#[test]
fn a_judgement_is_long_by_its_document_times_its_schemas() {
    let mut world = World::new();
    let alternatives = vec![r#"{"type":"string"}"#; 50].join(",");
    let schema = format!(r#"{{"items":{{"oneOf":[{alternatives}]}}}}"#);
    let ones = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    let is_long = |world: &World, json: &str| Case::of(&world.state, &one(PATH, json)).expect("a case").is_long();
    assert!(!is_long(&world, &ones(20_000)), "there is nothing to judge by");
    world.process("1", "a", "eu", Some(&schema));
    assert!(!is_long(&world, &ones(10)));
    assert!(is_long(&world, &ones(20_000)), "a million comparisons");
}

#[test]
fn two_layers_that_fit_alone_may_not_together() {
    let mut world = World::new();
    world.process("1", "a", "eu", Some(r#"{"maxProperties":2}"#));
    world.publish(one(PATH, r#"{"a":1}"#));
    world.publish(one("push/room.toml@zone=eu", r#"{"b":1}"#));
    let labels = one("push/room.toml@label.ring=eu", r#"{"c":1}"#);
    assert_eq!(
        world.refusal(&labels),
        "push/room.toml with zone=eu label.ring=eu: 1 instance of room 1 cannot read the document: \
         {\"a\":1,\"b\":1,\"c\":1} has more than 2 properties"
    );
    let other = one("push/room.toml@label.ring=us", r#"{"c":1}"#);
    world.publish(other);
}

#[test]
fn a_document_that_is_read_is_not_deleted_unless_it_is_forced() {
    let mut world = World::new();
    world.process("1", "a", "eu", Some("{}"));
    world.process("2", "b", "eu", None);
    world.publish(one(PATH, "{}"));
    let gone = publish([delete(PATH)]);
    assert_eq!(world.refusal(&gone), "push/room.toml: 1 instance of room 1 would have nothing to read");
    let forced = Publish { forced: Some("it moves".to_owned()), ..gone };
    let verdict = world.judge(&forced).expect("it is forced");
    assert_eq!(verdict.overruled.told.len(), 1);
    world.publish(forced);
}

/// Deleting it was refused although every reader had said, by starting without it, that it can do so.
#[test]
fn who_takes_none_for_an_empty_document_is_held_against_that() {
    let mut world = World::new();
    world.process("1", "a", "eu", Some(r#"{"required":[],"x-keeper-or-empty":true}"#));
    world.publish(one(PATH, "{}"));
    world.publish(publish([delete(PATH)]));
    world.publish(one(PATH, r#"{"push":1}"#));
    world.process("2", "b", "eu", Some(r#"{"required":["push"],"x-keeper-or-empty":true}"#));
    assert_eq!(
        world.refusal(&publish([delete(PATH)])),
        "push/room.toml: 1 instance of room 2 cannot read push: the field is missing"
    );
}

#[test]
fn a_schema_that_is_attached_late_notes_what_it_finds() {
    let mut world = World::new();
    world.keys = KeyRing::parse("k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a ring");
    world.publish(one("p/clear.json", r#"{"db":{"password":"hunter2"},"n":1}"#));
    let mut sealed = format::parse(Format::Json, r#"{"db":{"password":"hunter2"}}"#).expect("it is JSON");
    let field = Field::parse("db.password").expect("a field");
    world.keys.seal("p/sealed.json", &mut sealed, &[field], || [1; 24]).expect("it is sealed");
    world.publish(one("p/sealed.json", &String::from_utf8_lossy(&canonical(&sealed))));
    world.publish(one("q/other.json", r#"{"db":{"password":"hunter2"},"n":"x"}"#));
    world.publish(one("p/wrong.json@zone=eu", r#"{"n":"x"}"#));
    world.publish(one("p/wrong.json", r#"{"n":"hunter2"}"#));
    let schema = r#"{"paths":["p/*"],"schema":{"properties":{"n":{"type":"integer"},
        "db":{"properties":{"password":{"type":"string","x-keeper-secret":true}}}}}}"#;
    let notes = world.judge(&one("keeper/schemas/p", schema)).expect("it refuses nothing").notes;
    assert_eq!(
        notes,
        [
            "p/clear.json is published with db.password in the clear, which keeper/schemas/p marks as secret, and its \
             history keeps it: publish it anew to have it sealed, and change the secret",
            "p/wrong.json, which is published, does not fit keeper/schemas/p: n: \"hunter2\" is not of type \"integer\""
        ]
    );
    assert_eq!(world.judge(&one("p/clear.json", "{}")).expect("it fits").notes, [""; 0], "it is no schema");
}

#[test]
fn attached_schemas_hold_for_their_paths_also_when_nobody_reads() {
    let mut world = World::new();
    let schema = r#"{"paths":["push/*.toml"],"schema":{"properties":{"push":{"type":"object"}}}}"#;
    world.publish(one("keeper/schemas/push", schema));
    assert_eq!(
        world.refusal(&one(PATH, r#"{"push":1}"#)),
        "push/room.toml: push does not fit keeper/schemas/push: 1 is not of type \"object\""
    );
    assert_eq!(
        world.refusal(&one("push/room.toml@zone=eu", r#"{"push":1}"#)),
        "push/room.toml with zone=eu: push does not fit keeper/schemas/push: 1 is not of type \"object\"",
        "a layer for which there is no process yet"
    );
    world.publish(one("push/room.yaml", r#"{"push":1}"#));
    let other = r#"{"paths":["**"],"schema":{"required":["push"]}}"#;
    let both = publish([put("keeper/schemas/other", other), put(PATH, "{}")]);
    assert_eq!(
        world.refusal(&both),
        "push/room.toml: push does not fit keeper/schemas/other: the field is missing",
        "one that comes in the same publish"
    );
    world.publish(publish([delete("keeper/schemas/push"), put(PATH, r#"{"push":1}"#)]));
    assert_eq!(
        world.refusal(&Publish {
            forced: Some("no".to_owned()),
            ..one("keeper/schemas/x", r#"{"paths":[],"schema":{}}"#)
        }),
        "keeper/schemas/x: `paths` is a list of 1 to 64 patterns of paths",
        "what is no schema cannot be forced"
    );
}

#[test]
fn what_moved_since_is_refused_by_the_state() {
    let change = one(PATH, r#"{"push":{"max_inflight":"x"}}"#);
    let moves: [fn(&mut World); 3] = [
        |world| {
            world.process("1", "a", "eu", Some(ROOM));
        },
        |world| world.publish(one("push/room.toml@zone=eu", "{}")),
        |world| world.publish(one("keeper/schemas/a", r#"{"paths":["a"],"schema":{}}"#)),
    ];
    for moved in moves {
        let mut world = World::new();
        world.publish(one(PATH, r#"{"push":{}}"#));
        let verdict = world.judge(&change).expect("nobody reads it");
        let judged = Publish { judged: verdict.witnesses, ..change.clone() };
        moved(&mut world);
        let rejection = world.try_apply(&Command::Publish(judged)).expect_err("it was judged by something else");
        assert!(matches!(rejection, Rejection::Moved { .. }), "{rejection:?}");
    }
}

#[test]
fn a_schema_that_cannot_be_used_objects_and_can_be_overruled() {
    let mut world = World::new();
    world.process("1", "a", "eu", Some(r#"{"$ref":"https://example.com"}"#));
    let change = one(PATH, "{}");
    assert!(
        world
            .refusal(&change)
            .starts_with("push/room.toml: 1 instance of room 1 read it by a schema that cannot be used: `$ref`")
    );
    world.publish(Publish { forced: Some("it is known".to_owned()), ..change });
    let bomb: String = (0..60)
        .map(|at| format!(r##""{at}":{{"allOf":[{{"$ref":"#/$defs/{0}"}},{{"$ref":"#/$defs/{0}"}}]}},"##, at + 1))
        .collect();
    let bomb = format!(r##"{{"$ref":"#/$defs/0","$defs":{{{bomb}"60":{{}}}}}}"##);
    assert!(bomb.len() < SCHEMA_BYTES_MAX);
    world.process("1", "a", "eu", Some(&bomb));
    let refusal = world.refusal(&one(PATH, "{}"));
    assert!(refusal.ends_with("holding the document against the schema takes more than 1048576 steps"), "{refusal}");
}

#[test]
fn a_secret_is_judged_open_and_never_told() {
    let mut world = World::new();
    world.process("1", "a", "eu", Some(ROOM));
    world.keys = KeyRing::parse("k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("it is a ring");
    let sealed = |world: &World, token: &str| {
        let mut value =
            format::parse(Format::Json, &format!(r#"{{"push":{{"token":"{token}"}}}}"#)).expect("it is JSON");
        let field = Field::parse("push.token").expect("it is a field");
        world.keys.seal(PATH, &mut value, &[field], || [1; 24]).expect("there is a key");
        String::from_utf8_lossy(&canonical(&value)).into_owned()
    };
    world.publish(one(PATH, &sealed(&world, "abcd")));
    assert_eq!(
        world.refusal(&one(PATH, &sealed(&world, "hunter2"))),
        "push/room.toml: 1 instance of room 1 cannot read push.token: the secret is longer than 4 characters"
    );
}

#[test]
fn what_is_too_much_is_refused() {
    let mut world = World::new();
    let sized = |name: &str, bytes| format!(r#"{{"{name}":"{}"}}"#, "x".repeat(bytes));
    let large = |name: &str| sized(name, 600_000);
    world.publish(one(PATH, &large("a")));
    let refusal = world.refusal(&one("push/room.toml@zone=eu", &large("b")));
    assert_eq!(refusal, "push/room.toml with zone=eu: the effective document has 1200015 bytes; the limit is 1048576");
    let layers = |n| put(&format!("push/room.toml@zone=z{n}"), "{}");
    world.publish(publish((0..60).map(layers)));
    for n in 0..60 {
        world.process("1", &format!("p{n}"), &format!("z{n}"), Some("{}"));
    }
    world.publish(one(PATH, &large("c")));
    world.publish(publish((0..4).map(|n| put(&format!("push/room.toml@label.ring=z{n}"), r#"{"b":1}"#))));
    assert_eq!(
        world.refusal(&one(PATH, &sized("d", 1_000_000))),
        "push/room.toml: its effective documents have more than 67108864 bytes of layers in all"
    );
}

#[test]
fn a_layer_in_ini_is_typed_by_whoever_reads() {
    let mut world = World::new();
    world.process("1", "a", "eu", Some(ROOM));
    let ini = |max: &str| {
        let text = format!("[push]\nmax_inflight = {max}\n");
        let value = canonical(&format::parse(Format::Ini, &text).expect("it is INI"));
        let action = DocumentAction::Put { format: Format::Ini, text: Bytes::from(text), value, policy: None };
        publish([DocumentChange { path: "push/room.toml@zone=eu".to_owned(), expected: None, action }])
    };
    world.publish(one(PATH, r#"{"push":{}}"#));
    world.publish(ini("8080"));
    let refusal = world.refusal(&ini("many"));
    assert!(refusal.ends_with("cannot read push.max_inflight: \"many\" is not of type \"integer\""), "{refusal}");
    let json = world.refusal(&one("push/room.toml@zone=eu", r#"{"push":{"max_inflight":"8080"}}"#));
    assert!(json.ends_with("\"8080\" is not of type \"integer\""), "JSON has types: {json}");
}

#[test]
fn secrets_are_named_by_attached_schemas() {
    let mut world = World::new();
    let schema = r#"{"paths":["push/*"],"schema":{"properties":{"token":{"type":"string","x-keeper-secret":true}}}}"#;
    world.publish(one("keeper/schemas/push", schema));
    let change = one(PATH, r#"{"token":"a"}"#);
    let case = Case::of(&world.state, &change).expect("it can be judged");
    let value = format::parse(Format::Json, r#"{"token":"a","other":"b"}"#).expect("it is JSON");
    let token = Field::default().name("token");
    assert_eq!(case.secrets(&world.compiled, PATH, &value), Ok(vec![token]));
    assert_eq!(case.secrets(&world.compiled, "other/room.toml", &value), Ok(Vec::new()));
    assert_eq!(
        world.refusal(&one(PATH, r#"{"token":7}"#)),
        "push/room.toml: token does not fit keeper/schemas/push: the secret is not of type \"string\""
    );
}

/// What each process runs with, by the state's own account.
fn documents(state: &State) -> Vec<(Incarnation, Value)> {
    let of = |incarnation: Incarnation| {
        let instance = state.instance(incarnation)?;
        let config = state.config_for(PATH, instance);
        let values: Vec<_> = config
            .layers
            .iter()
            .map(|it| (it.layer, format::parse(Format::Json, &String::from_utf8_lossy(it.value)).expect("it is JSON")))
            .collect();
        Some((incarnation, effective(values.iter().map(|(layer, value)| (*layer, value)))?.value))
    };
    let incarnations = state.consumers(PATH).flat_map(|group| group.incarnations().collect::<BTreeSet<_>>());
    incarnations.filter_map(of).collect()
}

const KEYS: [&str; 6] = [
    PATH,
    "push/room.toml@zone=a",
    "push/room.toml@zone=b",
    "push/room.toml@service=room",
    "push/room.toml@label.ring=a",
    "push/room.toml@label.ring=b",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    /// Whatever is published one after the other: no process is ever given what it cannot read, and what is refused
    /// would have been given to somebody or to a process of a single layer.
    #[test]
    fn nobody_is_given_what_it_cannot_read(
        publishes in prop::collection::vec(prop::collection::btree_map(0..KEYS.len(), "[pqr]{0,2}", 1..3), 1..12),
    ) {
        let mut world = World::new();
        let schema = r#"{"not":{"required":["p","q"]}}"#;
        for (id, zone) in [("1", "a"), ("2", "b"), ("3", "c")] {
            world.process("1", id, zone, Some(schema));
        }
        let schema = Schema::read(schema.as_bytes()).expect("it is one");
        let fits = |value: &Value| schema.violations(value, &[]).is_ok_and(|found| found.is_empty());
        for changes in publishes {
            let changes = changes.into_iter().map(|(key, fields)| {
                let fields: BTreeSet<_> = fields.chars().map(|name| format!("\"{name}\":1")).collect();
                put(KEYS[key], &format!("{{{}}}", fields.into_iter().collect::<Vec<_>>().join(",")))
            });
            let change = publish(changes);
            match world.judge(&change) {
                Ok(verdict) => {
                    prop_assert!(verdict.overruled.is_empty());
                    world.publish(change);
                    for (incarnation, value) in documents(&world.state) {
                        prop_assert!(fits(&value), "{incarnation:?} is given {value:?}");
                    }
                }
                Err(Refusal::Objected(objections)) => {
                    let mut other = World::new();
                    for document in world.state.configs("") {
                        other.apply(Command::Publish(one(&document.path, &String::from_utf8_lossy(&document.value))));
                    }
                    for (id, zone) in [("1", "a"), ("2", "b"), ("3", "c")] {
                        other.process("1", id, zone, Some("{}"));
                    }
                    other.apply(Command::Publish(change));
                    let broken = documents(&other.state).iter().filter(|(_, value)| !fits(value)).count();
                    let told = objections.told.iter().map(|it| match &it.by {
                        Objector::Consumers { count, .. } => *count,
                        Objector::Schema(_) => 0,
                    });
                    prop_assert_eq!(told.sum::<usize>(), broken, "{}", objections);
                    prop_assert!(broken > 0, "{}", objections);
                }
                Err(refusal) => prop_assert!(false, "{}", refusal),
            }
        }
    }
}
