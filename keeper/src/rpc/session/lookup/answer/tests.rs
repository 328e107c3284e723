use std::collections::BTreeMap;

use bytes::Bytes;
use keeper_registry::{
    Command, Frame, LogTime, OpenInstance, PresenceLimits, Register, Reply, Revision, SessionKey, SessionOperation,
    Stamp, State, StateId,
};
use proptest::prelude::*;

use super::*;
use crate::rpc::session::lookup::{answer, question::Question};
use crate::view::Age;

const HISTORY: StateId = StateId(7);

/// A state in which gateway `a` holds these.
fn state(sessions: &[Register]) -> State {
    let mut state = State::new(PresenceLimits::default());
    let mut revision = 0;
    let mut apply = |command: &Command| {
        revision += 1;
        let at = Stamp { revision: Revision(revision), time: LogTime(1_000 * revision) };
        state.apply(at, command).reply.expect("the command is sound")
    };
    apply(&Command::Found(HISTORY));
    let open = OpenInstance {
        service: "room".to_owned(),
        id: "a".to_owned(),
        endpoints: vec!["room:1".to_owned()],
        zone: "east".to_owned(),
        weight: 1,
        labels: Vec::new(),
        version: String::new(),
        ttl_ms: 10_000,
        request: None,
        former_state: None,
        flush_total: 0,
    };
    let Reply::Opened { incarnation } = apply(&Command::OpenInstance(open)) else { panic!("it is opened") };
    let operations = sessions.iter().cloned().map(SessionOperation::Register).collect();
    let frame = Frame { incarnation, sequence: 1, state: HISTORY, operations, confirmed: None, flush_remaining: None };
    apply(&Command::Frame(frame));
    state
}

fn name(least: usize, most: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), least..=most).prop_map(Bytes::from)
}

fn register() -> impl Strategy<Value = Register> {
    let key = (name(1, 128), name(0, 32)).prop_map(|(user, slot)| SessionKey { user, slot });
    let topics = prop::collection::btree_set(name(1, 64), 0..5);
    let attributes = prop::collection::btree_map("[a-z]{1,9}", "[a-z]{0,20}", 0..4);
    (key, name(0, 32), any::<Option<u64>>(), topics, attributes).prop_map(
        |(key, connection, conn_seq, topics, values)| Register {
            key,
            connection,
            conn_seq,
            topics: topics.into_iter().collect(),
            attributes: encoded(values),
            flushed: None,
        },
    )
}

/// As `from_proto` stores them.
fn encoded(values: BTreeMap<String, String>) -> Bytes {
    wire::Attributes { values }.encode_to_vec().into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_is_what_generated_code_would_write(sessions in prop::collection::vec(register(), 1..20)) {
        let state = state(&sessions);
        let mut keys: Vec<_> = sessions.iter().map(|session| to_proto::session_key(&session.key)).collect();
        keys.push(wire::SessionKey { user: "nobody".into(), slot: Bytes::new() });
        let users: Vec<_> = keys.iter().map(|key| key.user.clone()).collect();
        let request = wire::LookupRequest { sequence: 9, keys, users, ..wire::LookupRequest::default() };
        let read = answer(&state, &Question::from(request.clone()), Age(3), state.time()).decode().expect("a message");

        let mut owners = Owners::default();
        let mut found = |key: &wire::SessionKey| {
            let session = state.session(&key.user, &key.slot);
            let session = session.map(|it| to_proto::session(&it, None, &mut owners));
            wire::lookup_reply::Found { session, formerly: None }
        };
        let keys = request.keys.iter().map(&mut found).collect();
        let all = |user: &Bytes| {
            let sessions = state.sessions_of(user);
            let sessions = sessions.iter().map(|it| to_proto::session(it, None, &mut owners)).collect();
            wire::lookup_reply::FoundAll { sessions, formerly: Vec::new() }
        };
        let users = request.users.iter().map(all).collect();
        let expected = wire::LookupReply {
            sequence: 9,
            revision: state.revision().0,
            age_ms: 3,
            state_id: HISTORY.0,
            owners: owners.finish(),
            keys,
            users,
            problem: None,
            rebuilding: to_proto::rebuilding(&state, state.time()),
        };
        prop_assert_eq!(read, expected);
    }
}
