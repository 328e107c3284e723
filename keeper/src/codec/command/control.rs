//! What is asked about controls.

use keeper_registry::{AcknowledgeControl, Incarnation, SendControl};

use super::{Decoded, read_request, write_request};
use crate::codec::{Input, Output};

pub(super) fn write_send(out: &mut Output, control: &SendControl) {
    out.str(&control.service);
    out.str(&control.id);
    out.str(&control.action);
    out.bytes(&control.argument);
    out.u32(control.deadline_ms);
    out.str(&control.author);
    write_request(out, control.request);
}

pub(super) fn read_send(input: &mut Input) -> Decoded<SendControl> {
    Ok(SendControl {
        service: input.str()?,
        id: input.str()?,
        action: input.str()?,
        argument: input.bytes()?,
        deadline_ms: input.u32()?,
        author: input.str()?,
        request: read_request(input)?,
    })
}

pub(super) fn write_acknowledge(out: &mut Output, acknowledge: &AcknowledgeControl) {
    out.u64(acknowledge.control);
    out.u64(acknowledge.incarnation.0);
    out.flag(acknowledge.done);
    out.str(&acknowledge.message);
}

pub(super) fn read_acknowledge(input: &mut Input) -> Decoded<AcknowledgeControl> {
    Ok(AcknowledgeControl {
        control: input.u64()?,
        incarnation: Incarnation(input.u64()?),
        done: input.flag()?,
        message: input.str()?,
    })
}
