//! A state, and what tests do with it most.

use bytes::Bytes;
use keeper_registry::{
    Command, DocumentAction, DocumentChange, Format, Frame, Incarnation, OpenInstance, PresenceLimits, Publish,
    Register, Rejection, Reply, SessionKey, SessionOperation, Stamp, State, StateId, Thawing,
};

pub(crate) struct Machine {
    pub(crate) state: State,
    pub(crate) at: Stamp,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let mut machine = Self { state: State::new(PresenceLimits::default()), at: Stamp::default() };
        machine.apply(Command::Found(StateId(7))).expect("a new state can be founded");
        machine
    }

    pub(crate) fn apply(&mut self, command: Command) -> Result<Reply, Rejection> {
        self.at.revision.0 += 1;
        self.state.apply(self.at, &command).reply
    }

    pub(crate) fn open(&mut self, id: &str) -> Incarnation {
        let open = OpenInstance {
            service: "room".to_owned(),
            id: id.to_owned(),
            endpoints: Vec::new(),
            zone: String::new(),
            weight: 1,
            labels: Vec::new(),
            version: String::new(),
            ttl_ms: 10_000,
            former_state: None,
            flush_total: 0,
            request: None,
        };
        match self.apply(Command::OpenInstance(open)) {
            Ok(Reply::Opened { incarnation }) => incarnation,
            other => panic!("{id} was not opened: {other:?}"),
        }
    }

    pub(crate) fn register(&mut self, incarnation: Incarnation, users: std::ops::Range<usize>) {
        let operations = users.map(|user| register(user, None)).collect();
        self.frame(incarnation, operations);
    }

    pub(crate) fn frame(&mut self, incarnation: Incarnation, operations: Vec<SessionOperation>) {
        let sequence = self.state.frame_sequence(incarnation).expect("it is open") + 1;
        let state = self.state.state_id().expect("it is founded");
        let (confirmed, flush_remaining) = (None, None);
        let frame = Frame { incarnation, sequence, state, operations, confirmed, flush_remaining };
        let taken = self.apply(Command::Frame(frame));
        assert!(matches!(taken, Ok(Reply::Frame { .. })), "{taken:?}");
    }

    pub(crate) fn publish(&mut self, path: &str, action: DocumentAction) -> Result<Reply, Rejection> {
        let change = DocumentChange { path: path.to_owned(), expected: None, action };
        let (author, message) = (String::new(), String::new());
        self.apply(Command::Publish(Publish { changes: vec![change], author, message, ..Publish::default() }))
    }

    pub(crate) fn put(&mut self, path: &str, text: String) {
        let text = Bytes::from(text);
        let put = DocumentAction::Put { format: Format::Json, value: text.clone(), text, policy: None };
        let published = self.publish(path, put);
        assert!(matches!(published, Ok(Reply::Published { .. })), "{published:?}");
    }

    pub(crate) fn rebuild(&mut self) {
        let mut thawing = Thawing::new(PresenceLimits::default());
        let read = self.state.freeze().visit(|record| thawing.push(record));
        self.state = read.and_then(|()| thawing.finish()).expect("what was frozen can be rebuilt");
    }
}

/// Of `user-N`, bound to one topic at most.
pub(crate) fn register(user: usize, topic: Option<&str>) -> SessionOperation {
    SessionOperation::Register(Register {
        key: SessionKey { user: Bytes::from(format!("user-{user}")), slot: Bytes::new() },
        connection: Bytes::new(),
        conn_seq: None,
        topics: topic.into_iter().map(|topic| Bytes::copy_from_slice(topic.as_bytes())).collect(),
        attributes: Bytes::new(),
        flushed: None,
    })
}
