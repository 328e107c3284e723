//! The whole state, and the one way it changes.

use crate::{
    Command, Event, LogTime, Outcome, Rejection, Reply, Revision, Stamp, StateId,
    clock::Clock,
    cluster::Cluster,
    config::Configs,
    consumer::Consumers,
    control::Controls,
    digest::{Digest, Kind},
    instance::Instances,
    nodes::Nodes,
    notice::NoticeRing,
    policy::Policies,
    presence::{PresenceLimits, PresenceRing},
    rebuild::Rebuild,
    request::{RequestKind, Requests},
    rollout::Rollouts,
    session::{Kicks, Sessions},
};

/// The replicated state. See the crate's documentation for what it promises.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) clock: Clock,
    pub(crate) cluster: Cluster,
    pub(crate) instances: Instances,
    pub(crate) sessions: Sessions,
    pub(crate) notices: NoticeRing,
    pub(crate) presence: PresenceRing,
    pub(crate) policies: Policies,
    pub(crate) configs: Configs,
    pub(crate) consumers: Consumers,
    pub(crate) rollouts: Rollouts,
    pub(crate) controls: Controls,
    pub(crate) requests: Requests,
    pub(crate) kicks: Kicks,
    pub(crate) rebuild: Option<Rebuild>,
    pub(crate) nodes: Nodes,
}

impl State {
    /// A state without a history: it refuses everything until it is founded.
    #[must_use]
    pub fn new(presence: PresenceLimits) -> Self {
        Self { presence: PresenceRing::new(presence), ..Self::default() }
    }

    /// Applies one command of the log.
    pub fn apply(&mut self, at: Stamp, command: &Command) -> Outcome {
        self.advance(at);
        let mut events = Vec::new();
        let told = self.presence.latest();
        let reply = self.decide(command, &mut events);
        if self.presence.latest() != told {
            events.push(Event::Presence);
        }
        Outcome { reply, events }
    }

    /// Applies an entry that has no commands.
    pub fn advance(&mut self, at: Stamp) {
        self.clock.advance(at);
        self.requests.forget(self.clock.time);
        self.controls.forget(self.clock.time);
    }

    fn decide(&mut self, command: &Command, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        if self.clock.state.is_none() && !matches!(command, Command::Found(_)) {
            return Err(Rejection::NotFound { what: "state" });
        }
        self.check_level(command)?;
        match command {
            Command::Found(state) => self.found(*state, events),
            Command::RaiseLevel(raise) => self.raise_level(raise),
            Command::Frame(frame) => self.frame(frame, None, events),
            Command::FrameSparing(frame, shortage) => self.frame(frame, Some(*shortage), events),
            Command::Kick(kick) => {
                self.once(kick.request, RequestKind::Kick, kick.fingerprint(), |state| state.kick(kick, events))
            }
            Command::KickStep => Ok(self.kick_step(events)),
            Command::GiveUp(give_up) => self.give_up(give_up, events),
            Command::Restore(state) => self.restore(*state, events),
            Command::OpenInstance(open) => {
                self.once(open.request, RequestKind::OpenInstance, open.fingerprint(), |state| {
                    state.open_instance(open, events)
                })
            }
            Command::CloseInstance(close) => self.close_instance(close, events),
            Command::Expire(incarnation) => self.expire(*incarnation, events),
            Command::Sweep => Ok(self.sweep(events)),
            Command::Publish(publish) => {
                self.once(publish.request, RequestKind::Publish, publish.fingerprint(), |state| {
                    state.publish(publish, events)
                })
            }
            Command::Announce(announce) => self.announce(announce),
            Command::StartRollout(start) => {
                self.once(start.publish.request, RequestKind::StartRollout, start.fingerprint(), |state| {
                    state.start_rollout(start, events)
                })
            }
            Command::AdvanceRollout(advance) => self.advance_rollout(advance, events),
            Command::PauseRollout(step) => self.pause_rollout(step, events),
            Command::ResumeRollout(step) => self.resume_rollout(step, events),
            Command::StopRollout(stop) => self.stop_rollout(stop, events),
            Command::PromoteRollout(promote) => self.promote_rollout(promote, events),
            Command::SendControl(send) => {
                self.once(send.request, RequestKind::SendControl, send.fingerprint(), |state| {
                    state.send_control(send, events)
                })
            }
            Command::AcknowledgeControl(answer) => self.acknowledge_control(answer),
            Command::ReserveNode(above) => Ok(self.reserve_node(*above)),
            Command::RetireNode(node) => Ok(self.retire_node(*node)),
        }
    }

    /// Nobody knows yet whether gateways hold connections of a history that was lost: the state begins as a rebuild.
    fn found(&mut self, state: StateId, events: &mut Vec<Event>) -> Result<Reply, Rejection> {
        if let Some(present) = self.clock.state {
            return Err(Rejection::AlreadyFounded(present));
        }
        self.clock.state = Some(state);
        self.sessions = Sessions::seeded(state.0);
        self.rebuild = Some(Rebuild::new(self.clock.time, 0));
        events.push(Event::Rebuild);
        Ok(Reply::Founded(state))
    }

    /// What became known of sessions coming and going; see [`PresenceRing::read_after`].
    #[must_use]
    pub fn presence(&self) -> &PresenceRing {
        &self.presence
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
            self.sessions.lingering_digest(),
            self.policies.digest(),
            self.presence.latest().revision.0,
            u64::from(self.presence.latest().position),
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
            self.kicks.sum(),
            self.kicks.last,
            self.sessions.seed(),
            self.rebuild.as_ref().map_or(0, Rebuild::digest),
        ];
        // None of these adds anything before it was used: binaries from before there was such a thing hash alike.
        let parts = parts.into_iter().chain(self.nodes.digest()).chain(self.cluster.digest());
        let parts =
            parts.chain(self.configs.retention_digest()).chain(self.consumers.digest()).chain(self.rollouts.digest());
        parts.fold(Digest::of(Kind::Clock), Digest::number).finish()
    }
}
