//! What processes should do now: actions addressed to instances, and their answers.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use keeper_proto::v1::{self, ControlsAddressed, WatchControlsRequest, controls_client::ControlsClient};
use tonic::transport::Channel;

use crate::{
    Error, Instance,
    connection::{Aim, Follow, Nodes, Opening, Resumed, Retry},
    limits,
};

/// Actions for admins; see [`Keeper::controls`](crate::Keeper::controls).
#[derive(Debug, Clone)]
pub struct Controls {
    nodes: Arc<Nodes>,
}

/// An action and whom it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendControl {
    /// Kind of process.
    pub service: String,
    /// Which one; all of the service when empty.
    pub id: String,
    /// `drain`, `reload`, `log-level`, or a name the application knows.
    pub action: String,
    /// The application's to read; at most 4 KiB.
    pub argument: Bytes,
    /// For how long it is worth doing; a minute when none.
    pub deadline: Option<Duration>,
    /// Who asks.
    pub author: String,
}

/// An action that was addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub control: u64,
    /// How many instances it was addressed to.
    pub instances: u32,
}

/// Who has answered what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlStatus {
    /// Its number.
    pub control: u64,
    /// What was to be done.
    pub action: String,
    /// The application's to read.
    pub argument: Bytes,
    /// Who asked.
    pub author: String,
    /// Log time, Unix milliseconds.
    pub sent_at_ms: u64,
    /// For how long it was worth doing.
    pub deadline: Duration,
    /// One an instance.
    pub answers: Vec<ControlState>,
}

/// Where one instance stands with an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlState {
    /// Its kind.
    pub service: String,
    /// Its name.
    pub id: String,
    /// Which life of it.
    pub incarnation: u64,
    /// `waiting`, `done`, `refused`, `gone`.
    pub state: String,
    /// Why not.
    pub message: String,
}

impl Controls {
    pub(crate) const fn new(nodes: Arc<Nodes>) -> Self {
        Self { nodes }
    }

    /// Addresses an action to every matching live instance, exactly once.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn send(&self, control: SendControl) -> Result<Sent, Error> {
        let SendControl { service, id, action, argument, deadline, author } = control;
        let deadline_ms = u32::try_from(deadline.unwrap_or_default().as_millis()).unwrap_or(u32::MAX);
        let request_id = self.nodes.random.request_id();
        let request = v1::SendControlRequest { service, id, action, argument, deadline_ms, author, request_id };
        let method = |channel, request| async move { client(channel).send(request).await };
        let reply = self.nodes.call("control send", Aim::Leader, Retry::Safe, request, method).await?;
        Ok(Sent { control: reply.control, instances: reply.instances })
    }

    /// Who has answered what.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn get(&self, control: u64) -> Result<ControlStatus, Error> {
        let request = v1::GetControlRequest { control };
        let method = |channel, request| async move { client(channel).get(request).await };
        let reply = self.nodes.call("control get", Aim::Any, Retry::Safe, request, method).await?;
        let answer = |it: v1::get_control_reply::Answer| ControlState {
            service: it.service,
            id: it.id,
            incarnation: it.incarnation,
            state: it.state,
            message: it.message,
        };
        Ok(ControlStatus {
            control: reply.control,
            action: reply.action,
            argument: reply.argument,
            author: reply.author,
            sent_at_ms: reply.sent_at_ms,
            deadline: Duration::from_millis(u64::from(reply.deadline_ms)),
            answers: reply.answers.into_iter().map(answer).collect(),
        })
    }
}

/// An action addressed to this instance.
#[derive(Debug, Clone)]
pub struct Addressed {
    /// Its number.
    pub control: u64,
    /// What to do.
    pub action: String,
    /// The application's to read.
    pub argument: Bytes,
    /// Log time, Unix milliseconds: not worth doing afterwards.
    pub deadline_at_ms: u64,
    /// Who asked.
    pub author: String,
    incarnation: u64,
    nodes: Arc<Nodes>,
}

/// What an instance says to an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was done.
    Done,
    /// It was not, and why; at most 256 bytes.
    Refused(String),
}

impl Addressed {
    /// After this moment of log time the action is not worth doing.
    #[must_use]
    pub fn deadline_at(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.deadline_at_ms)
    }

    /// Answers; an action that is not answered comes again after a restart of the stream's reader.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn acknowledge(&self, answer: Answer) -> Result<(), Error> {
        let (done, message) = match answer {
            Answer::Done => (true, String::new()),
            Answer::Refused(why) => (false, why),
        };
        let (control, incarnation) = (self.control, self.incarnation);
        let request = v1::AcknowledgeControlRequest { control, incarnation, done, message };
        let method = |channel, request| async move { client(channel).acknowledge(request).await };
        self.nodes.call("control acknowledge", Aim::Leader, Retry::Safe, request, method).await.map(drop)
    }
}

impl Instance {
    /// The actions addressed to this instance and not yet answered, and each new one, in order, each once a stream.
    #[must_use]
    pub fn controls(&self) -> ControlsWatch {
        let followed = Followed { incarnation: self.incarnation(), state_id: self.state_id(), told: 0 };
        ControlsWatch::new(self.nodes(), followed)
    }
}

/// Actions for one instance; see [`Instance::controls`].
pub struct ControlsWatch(BoxStream<'static, Result<Addressed, Error>>);

impl ControlsWatch {
    fn new(nodes: Arc<Nodes>, followed: Followed) -> Self {
        let resumed = Resumed::new(nodes.clone(), followed);
        let frames = futures_util::stream::unfold(Some(resumed), move |resumed| {
            let nodes = nodes.clone();
            async move {
                let mut resumed = resumed?;
                match resumed.frame().await {
                    Ok(frame) => {
                        let actions = take(&mut resumed.followed, frame, &nodes);
                        Some((actions, Some(resumed)))
                    }
                    Err(error) => Some((vec![Err(error)], None)),
                }
            }
        });
        Self(frames.flat_map(futures_util::stream::iter).boxed())
    }

    /// The next action; none after an error, which is the last item.
    ///
    /// # Errors
    /// [`Error::Refused`] when the instance has ended.
    pub async fn next(&mut self) -> Option<Result<Addressed, Error>> {
        self.0.next().await
    }
}

impl Stream for ControlsWatch {
    type Item = Result<Addressed, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for ControlsWatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ControlsWatch")
    }
}

struct Followed {
    incarnation: u64,
    state_id: u64,
    /// The highest number told: numbers rise, and a new stream begins with all that is unanswered.
    told: u64,
}

impl Follow for Followed {
    type Frame = ControlsAddressed;

    const NAME: &'static str = "controls";

    fn quiet(&mut self, frame: &ControlsAddressed) -> bool {
        frame.controls.is_empty()
    }

    fn open(&self, channel: Channel) -> Opening<ControlsAddressed> {
        let request = WatchControlsRequest { incarnation: self.incarnation, state_id: self.state_id };
        Box::pin(async move { client(channel).watch(request).await })
    }
}

fn take(followed: &mut Followed, frame: ControlsAddressed, nodes: &Arc<Nodes>) -> Vec<Result<Addressed, Error>> {
    let told = followed.told;
    let mut fresh: Vec<_> = frame.controls.into_iter().filter(|it| it.control > told).collect();
    fresh.sort_by_key(|it| it.control);
    followed.told = fresh.last().map_or(told, |it| it.control);
    let addressed = |it: v1::controls_addressed::Control| Addressed {
        control: it.control,
        action: it.action,
        argument: it.argument,
        deadline_at_ms: it.deadline_at_ms,
        author: it.author,
        incarnation: followed.incarnation,
        nodes: nodes.clone(),
    };
    fresh.into_iter().map(addressed).map(Ok).collect()
}

fn client(channel: Channel) -> ControlsClient<Channel> {
    ControlsClient::new(channel).max_decoding_message_size(limits::ANSWER_BYTES_MAX)
}
