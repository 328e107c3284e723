//! The arithmetic of the state's hash.
//!
//! The state's hash is the wrapping sum of one digest for each thing it holds, so that it does not depend on the order
//! in which replicas came to hold them, and a change costs two digests: the old one subtracted, the new one added. It
//! guards against bugs and bit flips, not against an attacker. Nothing here may change between versions without a
//! feature level: nodes of two versions compare their sums.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{Epoch, Holder, Kicked, OperationResult, Rejection, Reply, SessionKey, SessionSelector, Shortage};

/// What a digest is of, so that equal contents of different kinds differ.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Kind {
    Clock = 1,
    Session = 2,
    Topic = 3,
    Instance = 4,
    Owner = 5,
    Frame = 6,
    Closing = 7,
    Notice = 8,
    Document = 9,
    Control = 10,
    Answer = 11,
    Request = 12,
    Graces = 13,
    Policy = 14,
    Linger = 15,
    Kick = 16,
    KickGateway = 17,
    Rebuild = 18,
    RebuildGateway = 19,
    Nodes = 30,
    Cluster = 20,
    History = 31,
    Schema = 32,
    Announcement = 33,
    Consumers = 34,
    Rollout = 35,
}

/// A digest in the making: order and length of what is fed matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn of(kind: Kind) -> Self {
        Self(0).number(kind as u64)
    }

    /// Every step is a bijection of the state for a given number, so nothing fed before is ever lost.
    pub(crate) fn number(self, number: u64) -> Self {
        let mixed = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self((mixed ^ (mixed >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        Self(xxh3_64_with_seed(bytes, self.0)).number(bytes.len() as u64)
    }

    pub(crate) fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn optional(self, number: Option<u64>) -> Self {
        match number {
            None => self.number(0),
            Some(number) => self.number(1).number(number),
        }
    }

    pub(crate) fn optional_bytes(self, bytes: Option<&[u8]>) -> Self {
        match bytes {
            None => self.number(0),
            Some(bytes) => self.number(1).bytes(bytes),
        }
    }

    pub(crate) fn selector(self, selector: &SessionSelector) -> Self {
        let SessionSelector { topic, instance, user_prefix, slot } = selector;
        let digest = self.optional_bytes(topic.as_deref()).bytes(user_prefix).optional_bytes(slot.as_deref());
        match instance {
            None => digest.number(0),
            Some((service, id)) => digest.number(1).text(service).text(id),
        }
    }

    pub(crate) fn epoch(self, epoch: Epoch) -> Self {
        self.number(epoch.revision.0).number(u64::from(epoch.position))
    }

    pub(crate) fn key(self, key: &SessionKey) -> Self {
        self.bytes(&key.user).bytes(&key.slot)
    }

    pub(crate) fn holder(self, holder: &Holder) -> Self {
        self.text(&holder.service)
            .text(&holder.instance)
            .number(holder.incarnation.0)
            .bytes(&holder.connection)
            .epoch(holder.epoch)
    }

    pub(crate) fn results(self, results: &[OperationResult]) -> Self {
        results.iter().fold(self.number(results.len() as u64), Self::result)
    }

    fn result(self, result: &OperationResult) -> Self {
        match result {
            OperationResult::Registered { epoch, displaced: None } => self.number(1).epoch(*epoch),
            OperationResult::Registered { epoch, displaced: Some(holder) } => {
                self.number(2).epoch(*epoch).holder(holder)
            }
            OperationResult::Done => self.number(3),
            OperationResult::Refused(rejection) => self.number(4).rejection(rejection),
        }
    }

    pub(crate) fn answer(self, answer: &Result<Reply, Rejection>) -> Self {
        match answer {
            Ok(reply) => self.number(1).reply(reply),
            Err(rejection) => self.number(2).rejection(rejection),
        }
    }

    fn reply(self, reply: &Reply) -> Self {
        match reply {
            Reply::Founded(state) => self.number(1).number(state.0),
            Reply::Frame { revision, results } => self.number(2).number(revision.0).results(results),
            Reply::Kicked { job, kicked } => {
                let digest = self.number(3).number(*job);
                kicked.iter().fold(digest, |digest, Kicked { key, holder }| digest.key(key).holder(holder))
            }
            Reply::KickStepped { closed, more } => self.number(10).number(u64::from(*closed)).number(u64::from(*more)),
            Reply::Opened { incarnation } => self.number(4).number(incarnation.0),
            Reply::Closed => self.number(5),
            Reply::Swept { rows, more } => self.number(6).number(u64::from(*rows)).number(u64::from(*more)),
            Reply::Published { revision, changed } => self.number(7).number(revision.0).number(u64::from(*changed)),
            Reply::ControlSent { control, instances } => self.number(8).number(*control).number(u64::from(*instances)),
            Reply::Acknowledged => self.number(9),
            Reply::GivenUp => self.number(11),
            Reply::Restored(state) => self.number(12).number(state.0),
            Reply::NodeReserved { node } => self.number(20).number(*node),
            Reply::NodeRetired => self.number(21),
            Reply::Announced => self.number(22),
            Reply::Rollout { rollout, state, stage } => {
                self.number(23).number(*rollout).number(state.number().into()).number(u64::from(*stage))
            }
            Reply::LevelRaised { level } => self.number(13).number(level.0.into()),
        }
    }

    fn rejection(self, rejection: &Rejection) -> Self {
        match rejection {
            Rejection::AlreadyFounded(state) => self.number(1).number(state.0),
            Rejection::TooLarge { field, actual, limit } => self.number(2).text(field).number(*actual).number(*limit),
            Rejection::OutOfRange { field, actual, min, max } => {
                self.number(18).text(field).number(*actual).number(*min).number(*max)
            }
            Rejection::BadName { field } => self.number(3).text(field),
            Rejection::Repeated { field } => self.number(4).text(field),
            Rejection::ForeignState { present } => self.number(5).number(present.0),
            Rejection::IncarnationClosed(incarnation) => self.number(6).number(incarnation.0),
            Rejection::SequenceGap { expected } => self.number(7).number(*expected),
            Rejection::ReplyForgotten { last } => self.number(8).number(*last),
            Rejection::RequestIdReused => self.number(9),
            Rejection::StaleEpoch(None) => self.number(10),
            Rejection::StaleEpoch(Some(holder)) => self.number(11).holder(holder),
            Rejection::StaleConnSeq { given, present, holder } => {
                self.number(12).number(*given).number(*present).holder(holder)
            }
            Rejection::TooManySlots { limit } => self.number(13).number(*limit),
            Rejection::NotBound { topic } => self.number(14).bytes(topic),
            Rejection::NotFound { what } => self.number(15).text(what),
            Rejection::RevisionMismatch { path, expected, present } => {
                self.number(16).text(path).number(expected.0).number(present.0)
            }
            Rejection::Full { what, limit } => self.number(17).text(what).number(*limit),
            Rejection::Shortage(Shortage { node, free_bytes, needed_bytes }) => {
                self.number(20).number(*node).number(*free_bytes).number(*needed_bytes)
            }
            Rejection::LevelTooLow { needed, present } => {
                self.number(21).number(needed.0.into()).number(present.0.into())
            }
            Rejection::RollingOut { path, rollout } => self.number(23).text(path).number(*rollout),
            Rejection::RolloutIs { rollout, state, stage } => {
                self.number(24).number(*rollout).number(state.number().into()).number(u64::from(*stage))
            }
            Rejection::Moved { what, present } => what.digest(self.number(22)).number(present.0),
            Rejection::Quota { limit, present, max } => self.number(19).text(limit).number(*present).number(*max),
        }
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}

/// A wrapping sum of digests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum(u64);

impl Sum {
    pub(crate) fn add(&mut self, digest: u64) {
        self.0 = self.0.wrapping_add(digest);
    }

    pub(crate) fn subtract(&mut self, digest: u64) {
        self.0 = self.0.wrapping_sub(digest);
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}
