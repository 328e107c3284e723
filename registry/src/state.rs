//! The whole state, and the one way it changes.

use crate::{
    Command, Event, LogTime, Outcome, Rejection, Reply, Revision, Stamp, StateId,
    clock::Clock,
    config::Configs,
    control::Controls,
    digest::{Digest, Kind},
    instance::Instances,
    notice::NoticeRing,
    request::{RequestKind, Requests},
    session::Sessions,
};

/// The replicated state. See the crate's documentation for what it promises.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) clock: Clock,
    pub(crate) instances: Instances,
    pub(crate) sessions: Sessions,
    pub(crate) notices: NoticeRing,
    pub(crate) configs: Configs,
    pub(crate) controls: Controls,
    pub(crate) requests: Requests,
}

impl State {
    /// A state without a history: it refuses everything until it is founded.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies one command of the log.
    pub fn apply(&mut self, at: Stamp, command: Command) -> Outcome {
        self.advance(at);
        let mut events = Vec::new();
        let reply = self.decide(command, &mut events);
        Outcome { reply, events }
    }

    /// Applies an entry that has no commands.
    pub fn advance(&mut self, at: Stamp) {
        self.clock.advance(at);
        self.requests.forget(self.clock.time);
        self.controls.forget(self.clock.time);
    }

    fn decide(&mut self, command: Command, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        if self.clock.state.is_none() && !matches!(command, Command::Found(_)) {
            return Err(Rejection::NotFound { what: "state" });
        }
        match command {
            Command::Found(state) => self.found(state),
            Command::Frame(frame) => self.frame(&frame, events),
            Command::Kick(kick) => {
                self.once(kick.request, RequestKind::Kick, kick.fingerprint(), |state| state.kick(&kick, events))
            }
            Command::OpenInstance(open) => {
                self.once(open.request, RequestKind::OpenInstance, open.fingerprint(), |state| {
                    state.open_instance(&open, events)
                })
            }
            Command::CloseInstance(close) => self.close_instance(&close, events),
            Command::Expire(incarnation) => self.expire(incarnation, events),
            Command::Reap => Ok(self.reap()),
            Command::Publish(publish) => {
                self.once(publish.request, RequestKind::Publish, publish.fingerprint(), |state| {
                    state.publish(&publish, events)
                })
            }
            Command::SendControl(send) => {
                self.once(send.request, RequestKind::SendControl, send.fingerprint(), |state| {
                    state.send_control(&send, events)
                })
            }
            Command::AcknowledgeControl(answer) => self.acknowledge_control(&answer),
        }
    }

    fn found(&mut self, state: StateId) -> Result<Reply, Rejection> {
        if let Some(present) = self.clock.state {
            return Err(Rejection::AlreadyFounded(present));
        }
        self.clock.state = Some(state);
        self.sessions = Sessions::seeded(state.0);
        Ok(Reply::Founded(state))
    }

    /// The history's name, once it has begun.
    #[must_use]
    pub fn state_id(&self) -> Option<StateId> {
        self.clock.state
    }

    /// Of the last entry applied.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.clock.revision
    }

    /// Log time as of the last entry applied.
    #[must_use]
    pub fn time(&self) -> LogTime {
        self.clock.time
    }

    /// Equal on every replica that has applied the same log, whether or not through a snapshot. Covers everything that
    /// can influence a later outcome; cheap to read.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let parts = [
            self.clock.digest(),
            self.sessions.sum(),
            self.instances.sum(),
            self.instances.last.0,
            self.instances.closings_floor().0,
            self.notices.sum(),
            self.notices.latest.revision.0,
            u64::from(self.notices.latest.position),
            self.configs.sum(),
            self.configs.floor().0,
            self.controls.sum(),
            self.controls.last,
            self.requests.sum(),
        ];
        parts.into_iter().fold(Digest::of(Kind::Clock), Digest::number).finish()
    }
}
