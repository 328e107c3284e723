//! The end of a rebuild, and everything that may race with it.
//!
//! Nacos lost registrations for good when the snapshot of a restarted node, its clean-up of clients that were not seen
//! again, and their re-registration came in the wrong order (alibaba/nacos#15857: live entries deleted, and never
//! written again). Here the same steps come in every order there is: whatever was registered in this history, and was
//! neither displaced nor ended by its owner, is there at the end, and nothing else is.

use std::collections::BTreeMap;

use bytes::Bytes;
use keeper_registry::{
    Command, Epoch, Frame, GiveUp, Incarnation, OpenInstance, OperationResult, PresenceLimits, Register, Reply,
    Revision, SessionFilter, SessionKey, SessionOperation, Stamp, State, StateId,
};
use proptest::{collection::vec, prelude::*};

use crate::rebuilt;

/// More than one sweep looks at.
const SESSIONS: u32 = 1_300;
const GATEWAYS: u32 = 2;

#[derive(Debug, Clone)]
enum Race {
    /// A gateway registers again what the backup says it had, from one user on.
    Claim {
        gateway: u32,
        from: u32,
        count: u32,
    },
    /// A device connects anew, wherever it was before.
    Connect {
        gateway: u32,
        user: u32,
    },
    /// A gateway has nothing more to register.
    Finish {
        gateway: u32,
    },
    /// A gateway's lease runs out, and it comes back.
    Reopen {
        gateway: u32,
    },
    Later {
        ms: u64,
    },
    Sweep,
    Snapshot,
    GiveUp,
}

fn race() -> impl Strategy<Value = Race> {
    let gateway = || 0..GATEWAYS;
    let claim = |(gateway, from, count)| Race::Claim { gateway, from, count };
    prop_oneof![
        4 => (gateway(), 0..SESSIONS, 1_u32..400).prop_map(claim),
        2 => (gateway(), 0..SESSIONS).prop_map(|(gateway, user)| Race::Connect { gateway, user }),
        2 => gateway().prop_map(|gateway| Race::Finish { gateway }),
        1 => gateway().prop_map(|gateway| Race::Reopen { gateway }),
        3 => (0_u64..15_000).prop_map(|ms| Race::Later { ms }),
        5 => Just(Race::Sweep),
        2 => Just(Race::Snapshot),
        1 => Just(Race::GiveUp),
    ]
}

/// A restored state, and who must be live in it.
struct Restored {
    state: State,
    at: Stamp,
    gateways: Vec<Incarnation>,
    live: BTreeMap<u32, (Incarnation, Epoch)>,
}

fn user(number: u32) -> Bytes {
    Bytes::from(format!("user-{number}"))
}

fn register(number: u32, flushed: Option<Epoch>) -> SessionOperation {
    SessionOperation::Register(Register {
        key: SessionKey { user: user(number), slot: Bytes::new() },
        connection: Bytes::copy_from_slice(&number.to_be_bytes()),
        conn_seq: None,
        topics: vec![Bytes::from_static(b"app")],
        attributes: Bytes::new(),
        flushed,
    })
}

impl Restored {
    fn new() -> Self {
        let (state, at, live) = (State::new(PresenceLimits::default()), Stamp::default(), BTreeMap::new());
        let mut restored = Self { state, at, gateways: Vec::new(), live };
        let _ = restored.apply(Command::Found(StateId(1)));
        restored.gateways = (0..GATEWAYS).map(|gateway| restored.open(gateway, None)).collect();
        for gateway in 0..GATEWAYS {
            let users: Vec<_> = (0..SESSIONS).filter(|user| user % GATEWAYS == gateway).collect();
            restored.register(gateway, &users, None);
        }
        restored.live.clear();
        let done = restored.apply(Command::Restore(StateId(2)));
        assert_eq!(done, Some(Reply::Restored(StateId(2))));
        restored.gateways = (0..GATEWAYS).map(|gateway| restored.open(gateway, Some(StateId(1)))).collect();
        restored
    }

    fn apply(&mut self, command: Command) -> Option<Reply> {
        self.at.revision.0 += 1;
        self.state.apply(self.at, &command).reply.ok()
    }

    fn open(&mut self, gateway: u32, former_state: Option<StateId>) -> Incarnation {
        let open = OpenInstance {
            service: "room".to_owned(),
            id: gateway.to_string(),
            endpoints: Vec::new(),
            zone: String::new(),
            weight: 1,
            labels: Vec::new(),
            version: String::new(),
            ttl_ms: 10_000,
            former_state,
            flush_total: 1,
            request: None,
        };
        match self.apply(Command::OpenInstance(open)) {
            Some(Reply::Opened { incarnation }) => incarnation,
            other => panic!("{gateway} was not opened: {other:?}"),
        }
    }

    fn frame(
        &mut self,
        gateway: u32,
        operations: Vec<SessionOperation>,
        flush_remaining: Option<u64>,
    ) -> Vec<Option<Epoch>> {
        let incarnation = self.gateways[gateway as usize];
        let sequence = self.state.frame_sequence(incarnation).unwrap_or_default() + 1;
        let state = self.state.state_id().unwrap_or_default();
        let frame = Frame { incarnation, sequence, state, operations, confirmed: None, flush_remaining };
        let Some(Reply::Frame { results, .. }) = self.apply(Command::Frame(frame)) else {
            panic!("the frame of an open gateway is taken");
        };
        let epoch = |result: &OperationResult| match result {
            OperationResult::Registered { epoch, .. } => Some(*epoch),
            OperationResult::Done | OperationResult::Refused(_) => None,
        };
        results.iter().map(epoch).collect()
    }

    fn register(&mut self, gateway: u32, users: &[u32], flushed: Option<Epoch>) {
        let epochs = self.frame(gateway, users.iter().map(|user| register(*user, flushed)).collect(), None);
        let incarnation = self.gateways[gateway as usize];
        for (user, epoch) in users.iter().zip(epochs) {
            match epoch {
                Some(epoch) => drop(self.live.insert(*user, (incarnation, epoch))),
                None => assert!(flushed.is_some() && self.live.contains_key(user), "a claim loses to a live one alone"),
            }
        }
    }

    fn race(&mut self, race: &Race) {
        match race {
            Race::Claim { gateway, from, count } => {
                let users = (*from..SESSIONS.min(from + count)).filter(|user| user % GATEWAYS == *gateway);
                let users: Vec<_> = users.collect();
                self.register(*gateway, &users, Some(Epoch { revision: Revision(3), position: 0 }));
            }
            Race::Connect { gateway, user } => self.register(*gateway, &[*user], None),
            Race::Finish { gateway } => drop(self.frame(*gateway, Vec::new(), Some(0))),
            Race::Reopen { gateway } => {
                let former = self.gateways[*gateway as usize];
                assert!(self.apply(Command::Expire(former)).is_some());
                self.live.retain(|_, (incarnation, _)| *incarnation != former);
                self.gateways[*gateway as usize] = self.open(*gateway, Some(StateId(1)));
            }
            Race::Later { ms } => self.at.time.0 += ms,
            Race::Sweep => drop(self.apply(Command::Sweep)),
            Race::Snapshot => self.state = rebuilt(&self.state),
            Race::GiveUp => {
                drop(self.apply(Command::GiveUp(GiveUp { instances: Vec::new(), author: String::new() })));
            }
        }
    }

    fn compare(&self) {
        let found: BTreeMap<_, _> = (0..SESSIONS)
            .filter_map(|number| Some((number, self.state.session(&user(number), b"")?)))
            .map(|(number, view)| (number, (view.incarnation(), view.epoch())))
            .collect();
        assert!(found == self.live, "live: {} found, {} wanted", found.len(), self.live.len());
        assert_eq!(self.state.sessions_live(), self.live.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nacos_15857_a_clean_up_that_races_with_registering_deletes_no_live_entry(races in vec(race(), 0..40)) {
        let mut restored = Restored::new();
        prop_assert_eq!(restored.state.sessions_unconfirmed(), u64::from(SESSIONS));
        for race in &races {
            restored.race(race);
            restored.compare();
        }
        restored.race(&Race::GiveUp);
        restored.at.time.0 += 3_600_000;
        while restored.state.next_sweep().is_some() {
            restored.race(&Race::Sweep);
            restored.race(&Race::Snapshot);
        }
        restored.compare();
        prop_assert_eq!(restored.state.sessions_unconfirmed(), 0);
        prop_assert_eq!(restored.state.freeze().header().sessions, restored.live.len() as u64, "a leftover stays");
        let walked = restored.state.sessions_page(None, usize::MAX, &SessionFilter::default());
        prop_assert_eq!(walked.sessions.len(), restored.live.len());
    }
}
