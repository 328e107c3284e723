//! What the cluster has decided about itself.

use keeper_registry::{Cluster, Level, LevelRaised, LogTime, Revision};

use crate::codec::{DecodeError, Input, Output};

/// Writes it, as a record.
pub(super) fn write(out: &mut Output, cluster: &Cluster) {
    out.option(cluster.raised.as_ref(), |out, raised| {
        out.u32(raised.level.0);
        out.str(&raised.needs);
        out.u64(raised.revision.0);
        out.u64(raised.at.0);
        out.str(&raised.author);
    });
}

/// Reads it.
pub(super) fn read(input: &mut Input) -> Result<Cluster, DecodeError> {
    let raised = input.option(|input| {
        Ok(LevelRaised {
            level: Level(input.u32()?),
            needs: input.str()?.into(),
            revision: Revision(input.u64()?),
            at: LogTime(input.u64()?),
            author: input.str()?.into(),
        })
    })?;
    Ok(Cluster { raised })
}
