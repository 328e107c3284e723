//! A registry that is being filled again.

use keeper_registry::RebuildGateway;

use crate::codec::command::read_numbered;
use crate::codec::{DecodeError, Input, Output};

/// Writes a gateway that is waited for.
pub(super) fn write_gateway(out: &mut Output, gateway: &RebuildGateway) {
    out.str(&gateway.service);
    out.str(&gateway.id);
    out.u8(gateway.progress.number());
    out.u64(gateway.total);
    out.u64(gateway.remaining);
}

/// Reads a gateway that is waited for.
pub(super) fn read_gateway(input: &mut Input) -> Result<RebuildGateway, DecodeError> {
    Ok(RebuildGateway {
        service: input.str()?.into(),
        id: input.str()?.into(),
        progress: read_numbered(input, "how far a gateway is")?,
        total: input.u64()?,
        remaining: input.u64()?,
    })
}
