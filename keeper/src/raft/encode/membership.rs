//! Who belongs to the cluster, and what a snapshot covers.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use keeper_registry::Level;
use openraft::alias::{SnapshotMetaOf, StoredMembershipOf};

use super::{put_optional_log_id, take_optional_log_id};
use crate::codec::{DecodeError, Input, Output};
use crate::levels::{is_release, release_of};
use crate::raft::type_config::{Member, TypeConfig};

type Membership = openraft::Membership<u64, Member>;

const SNAPSHOT_META_FIRST: u8 = 1;

/// Since which the level and the release that is needed come right behind the version. They stay there in every later
/// one, so that a binary which is too old for the rest can say what to run.
const SNAPSHOT_META_NEEDS: u8 = 2;

/// What a snapshot of a cluster at a level covers: the last log id applied, and the membership then.
#[must_use]
pub(crate) fn snapshot_meta(meta: &SnapshotMetaOf<TypeConfig>, level: Level) -> Bytes {
    let is_first = level < Level::NAMED;
    let mut output = Output::versioned(if is_first { SNAPSHOT_META_FIRST } else { SNAPSHOT_META_NEEDS }, 256);
    if !is_first {
        output.u32(level.0);
        output.str(release_of(level));
    }
    put_optional_log_id(&mut output, meta.last_log_id.as_ref());
    put_optional_log_id(&mut output, meta.last_membership.log_id().as_ref());
    put_membership(&mut output, meta.last_membership.membership());
    output.finish()
}

/// Reads what a snapshot covers.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn decode_snapshot_meta(bytes: Bytes) -> Result<SnapshotMetaOf<TypeConfig>, DecodeError> {
    let (version, mut input) = Input::versioned("a snapshot's meta", SNAPSHOT_META_NEEDS, bytes)?;
    if version >= SNAPSHOT_META_NEEDS {
        take_needs(&mut input)?;
    }
    let last_log_id = take_optional_log_id(&mut input)?;
    let log_id = take_optional_log_id(&mut input)?;
    let membership = take_membership(&mut input)?;
    input.finish()?;
    Ok(SnapshotMetaOf::<TypeConfig> {
        last_log_id,
        last_membership: StoredMembershipOf::<TypeConfig>::new(log_id, membership),
    })
}

/// The level of the cluster that a snapshot is of, and the release it needs, whatever the rest is like.
///
/// # Errors
/// The bytes are something else.
pub(crate) fn snapshot_needs(bytes: Bytes) -> Result<(Level, String), DecodeError> {
    let (version, mut input) = Input::versioned("a snapshot's meta", u8::MAX, bytes)?;
    if version < SNAPSHOT_META_NEEDS {
        return Ok((Level::FIRST, release_of(Level::FIRST).to_owned()));
    }
    take_needs(&mut input)
}

fn take_needs(input: &mut Input) -> Result<(Level, String), DecodeError> {
    let (level, needs) = (Level(input.u32()?), input.str()?);
    if level < Level::NAMED || !is_release(&needs) {
        return Err(DecodeError::OutOfRange { what: "what a snapshot needs", at: input.position() });
    }
    Ok((level, needs))
}

pub(super) fn put_membership(output: &mut Output, membership: &Membership) {
    output.list(membership.get_joint_config().iter(), |output, voters| {
        output.list(voters.iter(), |output, id| output.u64(*id));
    });
    let members: Vec<_> = membership.nodes().collect();
    output.list(members.into_iter(), |output, (id, member)| {
        output.u64(*id);
        output.str(&member.peer_endpoint);
        output.str(&member.client_endpoint);
        output.u64(member.disk_id);
    });
}

pub(super) fn take_membership(input: &mut Input) -> Result<Membership, DecodeError> {
    let voters = input.list(|input| Ok(input.list(Input::u64)?.into_iter().collect::<BTreeSet<_>>()))?;
    let members = input.list(|input| {
        let id = input.u64()?;
        let member = Member { peer_endpoint: input.str()?, client_endpoint: input.str()?, disk_id: input.u64()? };
        Ok((id, member))
    })?;
    let members: BTreeMap<_, _> = members.into_iter().collect();
    Membership::new(voters, members).map_err(|_| DecodeError::OutOfRange { what: "a membership", at: input.position() })
}
