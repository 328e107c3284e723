//! From script lines to commands.

use anyhow::{Result, bail};
use bytes::Bytes;
use keeper_registry::{
    AcknowledgeControl, BindTopics, CloseInstance, Command, Frame, Incarnation, Level, OpenInstance, RaiseLevel,
    Register, RequestId, SendControl, SessionOperation, Shortage, State, StateId, Unregister, UnregisterCause,
};

use crate::{
    config, kick, presence, refill,
    words::{Line, cursor},
};

const COMMANDS: [&str; 26] = [
    "found",
    "restore",
    "open",
    "close",
    "expire",
    "sweep",
    "give-up",
    "frame",
    "gateway",
    "kick",
    "step",
    "publish",
    "policy",
    "send",
    "acknowledge",
    "reserve-node",
    "retire-node",
    "raise",
    "retain",
    "announce",
    "start",
    "advance",
    "pause",
    "resume",
    "stop",
    "promote",
];

pub(crate) fn is_command(verb: &str) -> bool {
    COMMANDS.contains(&verb)
}

pub(crate) fn command(state: &State, line: &Line) -> Result<Command> {
    Ok(match line.verb.as_str() {
        "found" => Command::Found(StateId(line.number_at(0)?)),
        "open" => Command::OpenInstance(open(line)?),
        "close" => {
            Command::CloseInstance(CloseInstance { incarnation: line.incarnation(0)?, reason: line.text("reason") })
        }
        "expire" => Command::Expire(line.incarnation(0)?),
        "sweep" => Command::Sweep,
        "restore" => Command::Restore(StateId(line.number_at(0)?)),
        "give-up" => Command::GiveUp(refill::give_up(line)),
        "step" => Command::KickStep,
        "frame" => frame(state, line.incarnation(0)?, line.number_at(1)?, line)?,
        // A frame with the next number.
        "gateway" => {
            let incarnation = line.incarnation(0)?;
            let next = state.frame_sequence(incarnation).unwrap_or_default() + 1;
            frame(state, incarnation, next, line)?
        }
        "kick" => Command::Kick(kick::kick(line)?),
        "publish" => Command::Publish(config::publish(line)?),
        "policy" => presence::policy(line)?,
        "retain" => config::retain(line)?,
        "announce" => Command::Announce(config::announce(line)?),
        "start" | "advance" | "pause" | "resume" | "stop" | "promote" => config::rollout(line)?,
        "send" => Command::SendControl(send(line)?),
        "acknowledge" => Command::AcknowledgeControl(AcknowledgeControl {
            control: line.number_at(0)?,
            incarnation: line.incarnation(1)?,
            done: line.word(2)? == "done",
            message: line.text("message"),
        }),
        "retire-node" => Command::RetireNode(line.number_at(0)?),
        "reserve-node" => Command::ReserveNode(line.number_at(0)?),
        "raise" => Command::RaiseLevel(RaiseLevel {
            to: Level(line.number_at(0)? as u32),
            needs: line.text("needs"),
            author: line.text("author"),
        }),
        verb => bail!("{verb} is no command"),
    })
}

pub(crate) fn request(line: &Line) -> Result<Option<RequestId>> {
    Ok(line.optional("request")?.map(|number| RequestId(u128::from(number).to_be_bytes())))
}

pub(crate) fn service_and_id(word: &str) -> (String, String) {
    let (service, id) = word.split_once('/').unwrap_or((word, ""));
    (service.to_owned(), id.to_owned())
}

fn open(line: &Line) -> Result<OpenInstance> {
    let (service, id) = service_and_id(line.word(0)?);
    let labels = line.list("labels").into_iter().map(|label| {
        let label = String::from_utf8_lossy(&label).into_owned();
        let (name, value) = label.split_once(':').unwrap_or((&label, ""));
        (name.to_owned(), value.to_owned())
    });
    let endpoints = line.list("endpoints").into_iter().map(|one| String::from_utf8_lossy(&one).into_owned());
    Ok(OpenInstance {
        service,
        id,
        endpoints: endpoints.collect(),
        zone: line.text("zone"),
        weight: 1,
        labels: labels.collect(),
        version: line.text("version"),
        ttl_ms: line.optional("ttl")?.unwrap_or(10_000) as u32,
        former_state: line.optional("former")?.map(StateId),
        flush_total: line.optional("total")?.unwrap_or_default(),
        request: request(line)?,
    })
}

fn frame(state: &State, incarnation: Incarnation, sequence: u64, line: &Line) -> Result<Command> {
    let history = line.optional("state")?.map_or_else(|| state.state_id().unwrap_or_default(), StateId);
    let mut operations = line.below.iter().map(operation).collect::<Result<Vec<_>>>()?;
    if let Some(count) = line.optional("times")? {
        operations = operations.iter().cycle().take(count as usize).cloned().collect();
    }
    let confirmed = line.get("confirmed").map(cursor).transpose()?;
    let flush_remaining = line.optional("remaining")?;
    let frame = Frame { incarnation, sequence, state: history, operations, confirmed, flush_remaining };
    let Some(free_bytes) = line.optional("free")? else { return Ok(Command::Frame(frame)) };
    Ok(Command::FrameSparing(frame, Shortage { node: 2, free_bytes, needed_bytes: 64 }))
}

fn operation(line: &Line) -> Result<SessionOperation> {
    let key = line.key(0)?;
    let topics = line.list("topics");
    Ok(match line.verb.as_str() {
        "register" => SessionOperation::Register(Register {
            key,
            connection: Bytes::from(line.word_or_empty(1).to_owned()),
            conn_seq: line.optional("seq")?,
            topics,
            attributes: line.bytes("attributes"),
            flushed: line.get("flushed").map(|_| line.epoch_of("flushed")).transpose()?,
        }),
        "unregister" => SessionOperation::Unregister(Unregister {
            key,
            epoch: line.epoch()?,
            cause: if line.word_or_empty(1) == "lost" { UnregisterCause::Lost } else { UnregisterCause::Left },
        }),
        "bind" => SessionOperation::Bind(BindTopics { key, epoch: line.epoch()?, topics }),
        "unbind" => SessionOperation::Unbind(BindTopics { key, epoch: line.epoch()?, topics }),
        verb => bail!("{verb} is no operation"),
    })
}

fn send(line: &Line) -> Result<SendControl> {
    let (service, id) = service_and_id(line.word(0)?);
    Ok(SendControl {
        service,
        id,
        action: line.word(1)?.to_owned(),
        argument: line.bytes("argument"),
        deadline_ms: line.optional("deadline")?.unwrap_or(60_000) as u32,
        author: line.text("author"),
        request: request(line)?,
    })
}
