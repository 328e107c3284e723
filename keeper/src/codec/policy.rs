//! What an admin decided about sessions, the graces that follow from it, and what was decided about histories.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{Graces, HistoryPolicy, Keep, SessionPolicy, TopicPolicy};

use crate::codec::command::{read_name, write_name};
use crate::codec::{DecodeError, Input, Output};

type Decoded<T> = Result<T, DecodeError>;

/// Writes a session policy.
pub(super) fn write_policy(out: &mut Output, policy: &SessionPolicy) {
    out.u32(policy.grace_ms);
    out.list(policy.topics.iter(), |out, (name, topic)| {
        out.bytes(name);
        out.option(topic.grace_ms, Output::u32);
        out.option(topic.sessions_max, Output::u64);
    });
    out.option(policy.instance_sessions_max, Output::u64);
    out.list(policy.instances.iter(), |out, (name, sessions_max)| {
        write_name(out, name);
        out.u64(*sessions_max);
    });
    out.list(policy.expected.iter(), write_name);
}

/// Reads a session policy.
pub(super) fn read_policy(input: &mut Input) -> Decoded<SessionPolicy> {
    Ok(SessionPolicy {
        grace_ms: input.u32()?,
        topics: BTreeMap::from_iter(input.list(|input| Ok((read_topic(input)?, read_topic_policy(input)?)))?),
        instance_sessions_max: input.option(Input::u64)?,
        instances: BTreeMap::from_iter(input.list(|input| Ok((read_name(input)?, input.u64()?)))?),
        expected: input.list(read_name)?,
    })
}

fn read_topic_policy(input: &mut Input) -> Decoded<TopicPolicy> {
    Ok(TopicPolicy { grace_ms: input.option(Input::u32)?, sessions_max: input.option(Input::u64)? })
}

fn read_topic(input: &mut Input) -> Decoded<Arc<[u8]>> {
    Ok(Arc::from(&input.bytes()?[..]))
}

/// Writes a history policy.
pub(super) fn write_history(out: &mut Output, policy: &HistoryPolicy) {
    write_keep(out, policy.all);
    out.list(policy.prefixes.iter(), |out, (prefix, keep)| {
        out.str(prefix);
        write_keep(out, *keep);
    });
}

/// Reads a history policy.
pub(super) fn read_history(input: &mut Input) -> Decoded<HistoryPolicy> {
    Ok(HistoryPolicy {
        all: read_keep(input)?,
        prefixes: BTreeMap::from_iter(input.list(|input| Ok((input.str()?.into(), read_keep(input)?)))?),
    })
}

fn write_keep(out: &mut Output, keep: Keep) {
    out.option(keep.versions_max, Output::u32);
    out.option(keep.age_ms_max, Output::u64);
}

fn read_keep(input: &mut Input) -> Decoded<Keep> {
    Ok(Keep { versions_max: input.option(Input::u32)?, age_ms_max: input.option(Input::u64)? })
}

/// Writes a version of graces.
pub(super) fn write_graces(out: &mut Output, graces: &Graces) {
    out.u32(graces.number);
    out.u32(graces.default_ms);
    out.list(graces.topics.iter(), |out, (name, grace_ms)| {
        out.bytes(name);
        out.u32(*grace_ms);
    });
}

/// Reads a version of graces.
pub(super) fn read_graces(input: &mut Input) -> Decoded<Graces> {
    Ok(Graces {
        number: input.u32()?,
        default_ms: input.u32()?,
        topics: BTreeMap::from_iter(input.list(|input| Ok((read_topic(input)?, input.u32()?)))?),
    })
}
