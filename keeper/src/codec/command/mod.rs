//! Commands, field by field. The tags are on disk: they never change and are never used again.

mod announce;
mod config;
mod control;
mod instance;
mod level;
mod rollout;
mod session;

use keeper_registry::{CloseInstance, Command, Incarnation, Level, RequestId, Shortage, StateId};

pub(super) use self::announce::{read_consumed, write_consumed};
pub(super) use self::config::{read_change, read_format, read_witness, write_change, write_witness};
pub(super) use self::instance::{read_labels, read_name, write_labels, write_name};
pub(super) use self::rollout::{read_plan, write_plan};
pub(super) use self::session::{
    read_cursor, read_epoch, read_key, read_target, write_cursor, write_epoch, write_key, write_target,
};
use crate::codec::{DecodeError, Input, Output, VERSION_FIRST, VERSION_LEVELS, version_at};

type Decoded<T> = Result<T, DecodeError>;

mod tag {
    pub(super) const FOUND: u8 = 1;
    pub(super) const FRAME: u8 = 2;
    pub(super) const KICK: u8 = 3;
    pub(super) const OPEN_INSTANCE: u8 = 4;
    pub(super) const CLOSE_INSTANCE: u8 = 5;
    pub(super) const EXPIRE: u8 = 6;
    pub(super) const SWEEP: u8 = 7;
    pub(super) const PUBLISH: u8 = 8;
    pub(super) const SEND_CONTROL: u8 = 9;
    pub(super) const ACKNOWLEDGE_CONTROL: u8 = 10;
    pub(super) const KICK_STEP: u8 = 11;
    pub(super) const GIVE_UP: u8 = 12;
    pub(super) const RESTORE: u8 = 13;
    pub(super) const RESERVE_NODE: u8 = 20;
    pub(super) const RETIRE_NODE: u8 = 21;
    pub(super) const FRAME_SPARING: u8 = 14;
    pub(super) const RAISE_LEVEL: u8 = 15;
    pub(super) const PUBLISH_JUDGED: u8 = 30;
    pub(super) const ANNOUNCE: u8 = 31;
    pub(super) const START_ROLLOUT: u8 = 32;
    pub(super) const ADVANCE_ROLLOUT: u8 = 33;
    pub(super) const PAUSE_ROLLOUT: u8 = 34;
    pub(super) const RESUME_ROLLOUT: u8 = 35;
    pub(super) const STOP_ROLLOUT: u8 = 36;
    pub(super) const PROMOTE_ROLLOUT: u8 = 37;
}

pub(super) fn write(out: &mut Output, command: &Command) {
    match command {
        Command::Found(state) => write_number(out, tag::FOUND, state.0),
        Command::Frame(frame) => {
            out.u8(tag::FRAME);
            session::write_frame(out, frame);
        }
        Command::FrameSparing(frame, shortage) => {
            out.u8(tag::FRAME_SPARING);
            write_shortage(out, *shortage);
            session::write_frame(out, frame);
        }
        Command::Kick(kick) => {
            out.u8(tag::KICK);
            session::write_kick(out, kick);
        }
        Command::KickStep => out.u8(tag::KICK_STEP),
        Command::OpenInstance(open) => {
            out.u8(tag::OPEN_INSTANCE);
            instance::write_open(out, open);
        }
        Command::CloseInstance(close) => {
            out.u8(tag::CLOSE_INSTANCE);
            out.u64(close.incarnation.0);
            out.str(&close.reason);
        }
        Command::Expire(incarnation) => write_number(out, tag::EXPIRE, incarnation.0),
        Command::Sweep => out.u8(tag::SWEEP),
        Command::GiveUp(give_up) => {
            out.u8(tag::GIVE_UP);
            instance::write_give_up(out, give_up);
        }
        Command::Restore(state) => write_number(out, tag::RESTORE, state.0),
        Command::RaiseLevel(raise) => {
            out.u8(tag::RAISE_LEVEL);
            level::write_raise(out, raise);
        }
        Command::Publish(publish) if command.encoding() < Level::CONFIGS => {
            out.u8(tag::PUBLISH);
            config::write_publish(out, publish);
        }
        Command::Publish(publish) => {
            out.u8(tag::PUBLISH_JUDGED);
            config::write_judged_publish(out, publish);
        }
        Command::Announce(asked) => write_tagged(out, tag::ANNOUNCE, asked, announce::write_announce),
        Command::StartRollout(asked) => write_tagged(out, tag::START_ROLLOUT, asked, rollout::write_start),
        Command::AdvanceRollout(asked) => write_tagged(out, tag::ADVANCE_ROLLOUT, asked, rollout::write_advance),
        Command::PauseRollout(asked) => write_tagged(out, tag::PAUSE_ROLLOUT, asked, rollout::write_step),
        Command::ResumeRollout(asked) => write_tagged(out, tag::RESUME_ROLLOUT, asked, rollout::write_step),
        Command::StopRollout(asked) => write_tagged(out, tag::STOP_ROLLOUT, asked, rollout::write_stop),
        Command::PromoteRollout(asked) => write_tagged(out, tag::PROMOTE_ROLLOUT, asked, rollout::write_promote),
        Command::SendControl(sent) => {
            out.u8(tag::SEND_CONTROL);
            control::write_send(out, sent);
        }
        Command::AcknowledgeControl(acknowledge) => {
            out.u8(tag::ACKNOWLEDGE_CONTROL);
            control::write_acknowledge(out, acknowledge);
        }
        Command::RetireNode(node) => write_number(out, tag::RETIRE_NODE, *node),
        Command::ReserveNode(above) => write_number(out, tag::RESERVE_NODE, *above),
    }
}

/// A command that is one number.
fn write_number(out: &mut Output, tag: u8, number: u64) {
    out.u8(tag);
    out.u64(number);
}

/// A command that has a module to write it.
fn write_tagged<T>(out: &mut Output, tag: u8, command: &T, write: impl FnOnce(&mut Output, &T)) {
    out.u8(tag);
    write(out, command);
}

pub(super) fn read(input: &mut Input) -> Decoded<Command> {
    Ok(match input.u8()? {
        tag::FOUND => Command::Found(StateId(input.u64()?)),
        tag::FRAME => Command::Frame(session::read_frame(input)?),
        tag::FRAME_SPARING => {
            let shortage = read_shortage(input)?;
            Command::FrameSparing(session::read_frame(input)?, shortage)
        }
        tag::KICK => Command::Kick(session::read_kick(input)?),
        tag::KICK_STEP => Command::KickStep,
        tag::OPEN_INSTANCE => Command::OpenInstance(instance::read_open(input)?),
        tag::CLOSE_INSTANCE => {
            Command::CloseInstance(CloseInstance { incarnation: Incarnation(input.u64()?), reason: input.str()? })
        }
        tag::EXPIRE => Command::Expire(Incarnation(input.u64()?)),
        tag::SWEEP => Command::Sweep,
        tag::GIVE_UP => Command::GiveUp(instance::read_give_up(input)?),
        tag::RESTORE => Command::Restore(StateId(input.u64()?)),
        tag::RAISE_LEVEL => Command::RaiseLevel(level::read_raise(input)?),
        tag::PUBLISH => Command::Publish(config::read_publish(input)?),
        tag::PUBLISH_JUDGED => Command::Publish(config::read_judged_publish(input)?),
        tag::ANNOUNCE => Command::Announce(announce::read_announce(input)?),
        tag::START_ROLLOUT => Command::StartRollout(rollout::read_start(input)?),
        tag::ADVANCE_ROLLOUT => Command::AdvanceRollout(rollout::read_advance(input)?),
        tag::PAUSE_ROLLOUT => Command::PauseRollout(rollout::read_step(input)?),
        tag::RESUME_ROLLOUT => Command::ResumeRollout(rollout::read_step(input)?),
        tag::STOP_ROLLOUT => Command::StopRollout(rollout::read_stop(input)?),
        tag::PROMOTE_ROLLOUT => Command::PromoteRollout(rollout::read_promote(input)?),
        tag::SEND_CONTROL => Command::SendControl(control::read_send(input)?),
        tag::ACKNOWLEDGE_CONTROL => Command::AcknowledgeControl(control::read_acknowledge(input)?),
        tag::RETIRE_NODE => Command::RetireNode(input.u64()?),
        tag::RESERVE_NODE => Command::ReserveNode(input.u64()?),
        _ => return Err(unknown(input, "the tag of a command")),
    })
}

pub(super) fn write_shortage(out: &mut Output, shortage: Shortage) {
    let Shortage { node, free_bytes, needed_bytes } = shortage;
    out.u64(node);
    out.u64(free_bytes);
    out.u64(needed_bytes);
}

pub(super) fn read_shortage(input: &mut Input) -> Decoded<Shortage> {
    Ok(Shortage { node: input.u64()?, free_bytes: input.u64()?, needed_bytes: input.u64()? })
}

/// The version of a batch that holds it: a binary that does not know a command refuses the batch, and says why.
pub(super) fn version(command: &Command) -> u8 {
    // The raise is itself the first thing that a cluster says beyond the first level.
    let is_raise = matches!(command, Command::RaiseLevel(_));
    version_at(command.encoding()).max(if is_raise { VERSION_LEVELS } else { VERSION_FIRST })
}

pub(super) fn unknown(input: &Input, what: &'static str) -> DecodeError {
    DecodeError::OutOfRange { what, at: input.position() }
}

/// What has a number on disk.
pub(super) fn read_numbered<T: TryFrom<u8>>(input: &mut Input, what: &'static str) -> Decoded<T> {
    T::try_from(input.u8()?).map_err(|_| unknown(input, what))
}

fn write_request(out: &mut Output, request: Option<RequestId>) {
    out.option(request, |out, request| out.raw(&request.0));
}

fn read_request(input: &mut Input) -> Decoded<Option<RequestId>> {
    input.option(|input| {
        let mut id = [0; 16];
        id.copy_from_slice(&input.raw(16)?);
        Ok(RequestId(id))
    })
}
