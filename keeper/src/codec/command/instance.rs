//! What is asked about instances.

use keeper_registry::{GiveUp, OpenInstance, StateId};

use super::{Decoded, read_request, write_request};
use crate::codec::{Input, Output};

pub(super) fn write_open(out: &mut Output, open: &OpenInstance) {
    out.str(&open.service);
    out.str(&open.id);
    out.list(open.endpoints.iter(), |out, endpoint| out.str(endpoint));
    out.str(&open.zone);
    out.u32(open.weight);
    write_labels(out, &open.labels);
    out.str(&open.version);
    out.u32(open.ttl_ms);
    out.option(open.former_state, |out, state| out.u64(state.0));
    out.u64(open.flush_total);
    write_request(out, open.request);
}

pub(super) fn read_open(input: &mut Input) -> Decoded<OpenInstance> {
    Ok(OpenInstance {
        service: input.str()?,
        id: input.str()?,
        endpoints: input.list(Input::str)?,
        zone: input.str()?,
        weight: input.u32()?,
        labels: read_labels(input)?,
        version: input.str()?,
        ttl_ms: input.u32()?,
        former_state: input.option(|input| Ok(StateId(input.u64()?)))?,
        flush_total: input.u64()?,
        request: read_request(input)?,
    })
}

pub(in crate::codec) fn write_labels(out: &mut Output, labels: &[(String, String)]) {
    out.list(labels.iter(), |out, (name, value)| {
        out.str(name);
        out.str(value);
    });
}

pub(in crate::codec) fn read_labels(input: &mut Input) -> Decoded<Vec<(String, String)>> {
    input.list(|input| Ok((input.str()?, input.str()?)))
}

pub(super) fn write_give_up(out: &mut Output, give_up: &GiveUp) {
    out.list(give_up.instances.iter(), write_name);
    out.str(&give_up.author);
}

pub(super) fn read_give_up(input: &mut Input) -> Decoded<GiveUp> {
    Ok(GiveUp { instances: input.list(read_name)?, author: input.str()? })
}

/// The name of an instance: its service and its id.
pub(in crate::codec) fn write_name<S: AsRef<str>>(out: &mut Output, (service, id): &(S, S)) {
    out.str(service.as_ref());
    out.str(id.as_ref());
}

pub(in crate::codec) fn read_name<S: From<String>>(input: &mut Input) -> Decoded<(S, S)> {
    Ok((input.str()?.into(), input.str()?.into()))
}
