use keeper_registry::{
    Command, DocumentAction, DocumentChange, Instance, LogTime, OpenInstance, Publish, Reply, Revision, Stamp, State,
    StateId,
};

use super::*;

const PATH: &str = "push/room.toml";

struct Run {
    state: State,
    revision: u64,
}

impl Run {
    fn new() -> Self {
        let mut run = Self { state: State::default(), revision: 0 };
        run.take(Command::Found(StateId(7)));
        let level = keeper_registry::Level::CONFIGS;
        let raise = keeper_registry::RaiseLevel { to: level, needs: "0.3.0".to_owned(), author: String::new() };
        run.take(Command::RaiseLevel(raise));
        run
    }

    fn take(&mut self, command: Command) -> Reply {
        self.revision += 1;
        let at = Stamp { revision: Revision(self.revision), time: LogTime(self.revision) };
        self.state.apply(at, &command).reply.expect("it is taken")
    }

    fn publish(&mut self, key: &str, value: &'static str) {
        let (text, value) = (Bytes::from_static(value.as_bytes()), Bytes::from_static(value.as_bytes()));
        let action = DocumentAction::Put { format: Format::Json, text, value, policy: None };
        let changes = vec![DocumentChange { path: key.to_owned(), expected: None, action }];
        self.take(Command::Publish(Publish { changes, ..Publish::default() }));
    }

    fn open(&mut self, zone: &str) -> Arc<Instance> {
        let open = OpenInstance {
            service: "room".to_owned(),
            id: zone.to_owned(),
            zone: zone.to_owned(),
            ttl_ms: 10_000,
            endpoints: Vec::new(),
            weight: 0,
            labels: Vec::new(),
            version: String::new(),
            former_state: None,
            flush_total: 0,
            request: None,
        };
        let Reply::Opened { incarnation } = self.take(Command::OpenInstance(open)) else { panic!("it opens") };
        Arc::clone(self.state.instance(incarnation).expect("it is open"))
    }

    fn layered(&self, instance: &Instance) -> Layered {
        Layered::of(&self.state, &PATH.into(), &self.state.config_for(PATH, instance).layers, None)
    }
}

fn ring(id: &str) -> KeyRing {
    KeyRing::parse(&format!("{id}:{}", data_encoding::BASE64.encode(&[7; 32]))).expect("a ring")
}

#[test]
fn what_many_have_is_made_once() {
    let mut run = Run::new();
    let merges = Merges::new(Arc::default(), Arc::default());
    let [eu, us, other] = ["eu", "us", "other"].map(|zone| run.open(zone));
    run.publish(PATH, r#"{"a":1,"b":2}"#);
    run.publish("push/room.toml@zone=eu", r#"{"b":3}"#);
    let [eu, us, other] = [eu, us, other].map(|it| merges.of(&run.layered(&it)).expect("made").expect("there"));
    assert_eq!((&eu.value()[..], &us.value()[..]), (&br#"{"a":1,"b":3}"#[..], &br#"{"a":1,"b":2}"#[..]));
    assert!(Arc::ptr_eq(&us, &other));
    let mut times = 0;
    for _ in 0..3 {
        us.written(Revision(4), None, |value| {
            times += 1;
            value.clone()
        });
    }
    us.written(Revision(5), None, |value| {
        times += 1;
        value.clone()
    });
    assert_eq!(times, 2);
}

#[test]
fn a_layer_that_says_the_same_makes_the_same() {
    let mut run = Run::new();
    let merges = Merges::new(Arc::default(), Arc::default());
    let eu = run.open("eu");
    run.publish(PATH, r#"{"a":1}"#);
    let base = run.layered(&eu);
    run.publish("push/room.toml@zone=eu", r#"{"a":1}"#);
    let same = run.layered(&eu);
    run.publish("push/room.toml@zone=eu", r#"{"a":2}"#);
    let other = run.layered(&eu);
    assert!(merges.are_same(&base, &same) && !merges.are_same(&same, &other));
}

#[test]
fn a_secret_that_does_not_open_is_given_to_nobody() {
    let mut run = Run::new();
    let eu = run.open("eu");
    let mut value = format::parse(Format::Json, r#"{"token":"hush"}"#).expect("JSON");
    ring("k1").seal(PATH, &mut value, &[Field::default().name("token")], || [1; 24]).expect("sealed");
    let sealed: &'static str = Box::leak(String::from_utf8(canonical(&value).to_vec()).expect("text").into_boxed_str());
    run.publish(PATH, sealed);
    let opened = Merges::new(Arc::new(ring("k1")), Arc::default()).of(&run.layered(&eu)).expect("made").expect("there");
    assert_eq!(&opened.value()[..], br#"{"token":"hush"}"#);
    let refused = Merges::new(Arc::new(ring("k2")), Arc::default()).of(&run.layered(&eu)).map(|_| ());
    let expected = "this node has no key that opens token of push/room.toml";
    assert_eq!(refused.map_err(|error| error.to_string()), Err(expected.to_owned()));
}
