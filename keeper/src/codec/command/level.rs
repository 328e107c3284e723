//! What is asked about feature levels.

use keeper_registry::{Level, RaiseLevel};

use super::Decoded;
use crate::codec::{Input, Output};

pub(super) fn write_raise(out: &mut Output, raise: &RaiseLevel) {
    out.u32(raise.to.0);
    out.str(&raise.needs);
    out.str(&raise.author);
}

pub(super) fn read_raise(input: &mut Input) -> Decoded<RaiseLevel> {
    Ok(RaiseLevel { to: Level(input.u32()?), needs: input.str()?, author: input.str()? })
}
