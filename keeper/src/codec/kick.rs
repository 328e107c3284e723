//! Kicks that are remembered.

use std::collections::BTreeMap;

use keeper_registry::{Incarnation, KickGateway, KickJob, LogTime, ScanPosition};

use crate::codec::command::{
    read_cursor, read_epoch, read_key, read_target, write_cursor, write_epoch, write_key, write_target,
};
use crate::codec::{DecodeError, Input, Output};

type Decoded<T> = Result<T, DecodeError>;

/// Writes a kick.
pub(super) fn write(out: &mut Output, job: &KickJob) {
    out.u64(job.number);
    write_target(out, &job.target);
    out.str(&job.reason);
    out.str(&job.author);
    write_epoch(out, job.before);
    out.u64(job.started_at.0);
    out.option(job.finished_at, |out, at| out.u64(at.0));
    out.option(job.incarnation, |out, incarnation| out.u64(incarnation.0));
    out.option(job.position.as_ref(), |out, ScanPosition(key)| write_key(out, key));
    out.u64(job.closed);
    out.list(job.gateways.iter(), |out, (incarnation, gateway)| {
        out.u64(incarnation.0);
        out.str(&gateway.service);
        out.str(&gateway.id);
        out.u64(gateway.closed);
        write_cursor(out, gateway.notice);
    });
}

/// Reads a kick.
pub(super) fn read(input: &mut Input) -> Decoded<KickJob> {
    Ok(KickJob {
        number: input.u64()?,
        target: read_target(input)?,
        reason: input.str()?.into(),
        author: input.str()?.into(),
        before: read_epoch(input)?,
        started_at: LogTime(input.u64()?),
        finished_at: input.option(|input| Ok(LogTime(input.u64()?)))?,
        incarnation: input.option(|input| Ok(Incarnation(input.u64()?)))?,
        position: input.option(|input| Ok(ScanPosition(read_key(input)?)))?,
        closed: input.u64()?,
        gateways: BTreeMap::from_iter(input.list(read_gateway)?),
    })
}

fn read_gateway(input: &mut Input) -> Decoded<(Incarnation, KickGateway)> {
    let incarnation = Incarnation(input.u64()?);
    let gateway = KickGateway {
        service: input.str()?.into(),
        id: input.str()?.into(),
        closed: input.u64()?,
        notice: read_cursor(input)?,
    };
    Ok((incarnation, gateway))
}
