use keeper_proto::v1::lookup_reply::{self, FoundAll, formerly::State};
use proptest::{collection::vec, option, prelude::*};

use super::*;

fn session() -> impl Strategy<Value = v1::Session> {
    let names = ("[a-z]{1,40}", "[a-z]{0,8}", vec(any::<u8>(), 0..20), vec("[a-z]{1,9}", 0..4));
    let numbers = (0..3_u32, any::<u64>(), any::<u32>(), option::of(any::<u64>()), any::<u64>());
    let attributes = option::of(prop::collection::btree_map("[a-z]{1,4}", "[a-z]{0,4}", 0..3));
    (names, numbers, attributes).prop_map(|(names, numbers, attributes)| {
        let (user, slot, connection, topics) = names;
        let (owner, revision, position, conn_seq, registered_at_ms) = numbers;
        v1::Session {
            key: Some(v1::SessionKey { user: user.into(), slot: slot.into() }),
            owner,
            connection: connection.into(),
            epoch: Some(v1::Epoch { revision, position }),
            conn_seq,
            topics: topics.into_iter().map(Into::into).collect(),
            attributes: attributes.map(|values| v1::Attributes { values }),
            registered_at_ms,
        }
    })
}

fn formerly() -> impl Strategy<Value = lookup_reply::Formerly> {
    (session(), prop_oneof![Just(State::Lingering), Just(State::Unconfirmed)], any::<u64>()).prop_map(
        |(session, state, until_ms)| lookup_reply::Formerly { session: Some(session), state: state.into(), until_ms },
    )
}

fn reply() -> impl Strategy<Value = v1::LookupReply> {
    let found = (option::of(session()), option::of(formerly()))
        .prop_map(|(session, formerly)| lookup_reply::Found { session, formerly });
    let all =
        (vec(session(), 0..3), vec(formerly(), 0..2)).prop_map(|(sessions, formerly)| FoundAll { sessions, formerly });
    let numbers = (any::<u64>(), any::<u64>(), any::<u32>(), any::<u64>(), option::of(0..1_000_u32));
    (numbers, vec(found, 0..9), vec(all, 0..4)).prop_map(|(numbers, keys, users)| {
        let (sequence, revision, age_ms, state_id, rebuilding) = numbers;
        let owner = |number: u64| lookup_reply::Owner {
            service: "room".into(),
            instance: format!("room-{number}"),
            incarnation: number,
            endpoints: vec!["10.0.0.1:7520".into()],
            zone: "a".into(),
        };
        v1::LookupReply {
            sequence,
            revision,
            age_ms,
            state_id,
            owners: (0..3).map(owner).collect(),
            keys,
            users,
            problem: None,
            rebuilding: rebuilding.map(|done_permille| lookup_reply::Rebuilding { done_permille, not_before_ms: 7 }),
        }
    })
}

/// As generated code reads it.
fn by_generated_code<T>(reply: &v1::LookupReply, found: T, formerly: Vec<lookup_reply::Formerly>) -> Looked<T> {
    let owners = from_proto::owners(reply.owners.clone());
    let formerly = formerly.into_iter().map(|it| from_proto::formerly(it, &owners));
    Looked {
        found,
        revision: reply.revision,
        age: Duration::from_millis(reply.age_ms.into()),
        state_id: reply.state_id,
        formerly: formerly.collect::<Result<_, _>>().expect("whole"),
        rebuilding: reply.rebuilding.map(Rebuilding::from_proto),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_is_what_generated_code_would_read(reply in reply(), cut in 0..9_usize) {
        let owners = from_proto::owners(reply.owners.clone());
        let live = |it: &v1::Session| from_proto::session(it.clone(), &owners).expect("whole");
        let frame = Frame::read(reply.encode_to_vec().into()).expect("whole");
        prop_assert_eq!(frame.sequence, reply.sequence);
        let mut results = frame.results();
        let (first, second) = reply.keys.split_at(cut.min(reply.keys.len()));
        for some in [first, second] {
            let found = some.iter().map(|it| it.session.as_ref().map(live)).collect::<Vec<_>>();
            let formerly = some.iter().filter_map(|it| it.formerly.clone()).collect();
            let answer = results.take(Shape::Keys(some.len())).expect("enough").keys(some.len()).expect("whole");
            prop_assert_eq!(answer, by_generated_code(&reply, found, formerly));
        }
        for all in &reply.users {
            let found: Vec<_> = all.sessions.iter().map(live).collect();
            let answer = results.take(Shape::User).expect("enough").user().expect("whole");
            prop_assert_eq!(answer, by_generated_code(&reply, found, all.formerly.clone()));
        }
        prop_assert!(results.take(Shape::User).is_err() && results.take(Shape::Keys(1)).is_err());
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        let Ok(frame) = Frame::read(bytes.into()) else { return Ok(()) };
        let mut results = frame.results();
        let _ = results.take(Shape::Keys(1)).map(|it| it.keys(1));
        let _ = results.take(Shape::User).map(Answer::user);
    }
}

#[test]
fn a_session_without_its_owner_is_refused() {
    let session = v1::Session { owner: 1, ..v1::Session::default() };
    let found = lookup_reply::Found { session: Some(session), formerly: None };
    let owners = vec![lookup_reply::Owner::default()];
    let reply = v1::LookupReply { keys: vec![found], owners, ..v1::LookupReply::default() };
    let frame = Frame::read(reply.encode_to_vec().into()).expect("whole");
    let read = frame.results().take(Shape::Keys(1)).and_then(Answer::key);
    assert_eq!(read.map_err(|it| it.to_string()), Err("a session without its owner".to_owned()));
}
