//! Which instances are in a stage.

use xxhash_rust::xxh3::Xxh3;

use crate::{Instance, Rejection, check, digest::Digest, limits};

/// A stage: a share of the instances that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Among which instances.
    pub selector: InstanceSelector,
    /// How many of them, in basis points: hundredths of a percent, 1 to 10,000.
    pub share_bps: u32,
    /// How long it is watched, at least, before the next one opens; none: until an admin says so.
    pub hold_ms: Option<u64>,
}

/// Instances that match every part given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceSelector {
    /// Of this service.
    pub service: Option<String>,
    /// With this id.
    pub id: Option<String>,
    /// In this zone.
    pub zone: Option<String>,
    /// With all of these labels.
    pub labels: Vec<(String, String)>,
}

/// What must hold before the next stage opens, beside that nobody refused and everybody is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gates {
    /// How many of the instances that have the candidates must have said that they run with them, in basis points.
    pub applied_bps: u32,
}

impl Default for Gates {
    /// All of them.
    fn default() -> Self {
        Self { applied_bps: BPS }
    }
}

/// The whole.
const BPS: u32 = 10_000;

/// The place of an instance in every rollout, 0 to 9,999: those below a stage's share are in it.
///
/// It follows from the name alone and is fixed for ever: an instance keeps it through restarts, and one that is in at
/// five percent is in at six.
#[must_use]
pub fn rollout_place(service: &str, id: &str) -> u32 {
    let mut hash = Xxh3::new();
    hash.update(service.as_bytes());
    // No name has it: ("a", "bc") and ("ab", "c") are two instances.
    hash.update(b"/");
    hash.update(id.as_bytes());
    (hash.digest() % u64::from(BPS)) as u32
}

impl Stage {
    /// Whether an instance is in it. One that might be, and has no name, is in none: it has no place, and nobody would
    /// hear what it makes of a candidate.
    #[must_use]
    pub fn takes(&self, instance: &Instance) -> bool {
        let is_somebody = !instance.id.is_empty();
        let place = || rollout_place(&instance.service, &instance.id);
        is_somebody && self.selector.matches(instance) && place() < self.share_bps
    }

    pub(super) fn check(&self) -> Result<(), Rejection> {
        self.selector.check()?;
        check::range("share_bps", self.share_bps.into(), 1, BPS.into())?;
        check::range("hold_ms", self.hold_ms.unwrap_or_default(), 0, limits::STAGE_HOLD_MS_MAX)
    }

    pub(crate) fn digest(digest: Digest, stage: &Self) -> Digest {
        let Self { selector, share_bps, hold_ms } = stage;
        selector.digest(digest).number((*share_bps).into()).optional(*hold_ms)
    }
}

impl InstanceSelector {
    /// Whether an instance matches.
    #[must_use]
    pub fn matches(&self, instance: &Instance) -> bool {
        let Self { service, id, zone, labels } = self;
        service.as_ref().is_none_or(|service| **service == *instance.service)
            && id.as_ref().is_none_or(|id| **id == *instance.id)
            && zone.as_ref().is_none_or(|zone| *zone == instance.zone)
            && labels.iter().all(|label| instance.labels.contains(label))
    }

    fn check(&self) -> Result<(), Rejection> {
        self.service.iter().try_for_each(|service| check::name("selector.service", service))?;
        self.id.iter().try_for_each(|id| check::name("selector.id", id))?;
        check::size("selector.zone", self.zone.as_ref().map_or(0, String::len), limits::ZONE_BYTES_MAX)?;
        check::size("selector.labels", self.labels.len(), limits::LABELS_MAX)?;
        for (name, value) in &self.labels {
            check::bytes("label", name.as_bytes(), limits::LABEL_BYTES_MAX)?;
            check::size("label", value.len(), limits::LABEL_BYTES_MAX)?;
        }
        Ok(())
    }

    fn digest(&self, digest: Digest) -> Digest {
        let Self { service, id, zone, labels } = self;
        let parts = [service, id, zone].into_iter().map(|part| part.as_ref().map(String::as_bytes));
        let digest = parts.fold(digest, Digest::optional_bytes).number(labels.len() as u64);
        labels.iter().fold(digest, |digest, (name, value)| digest.text(name).text(value))
    }
}

impl Gates {
    pub(super) fn check(self) -> Result<(), Rejection> {
        check::range("applied_bps", self.applied_bps.into(), 1, BPS.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Incarnation, LogTime, Revision};

    #[test]
    fn one_that_might_be_is_in_no_stage() {
        let everybody = Stage { selector: InstanceSelector::default(), share_bps: BPS, hold_ms: None };
        let instance = |id: &str| Instance {
            service: "room".into(),
            id: id.into(),
            incarnation: Incarnation(1),
            endpoints: Vec::new(),
            zone: String::new(),
            weight: 0,
            labels: Vec::new(),
            version: String::new(),
            ttl_ms: 0,
            opened: Revision(0),
            opened_at: LogTime(0),
        };
        assert!(everybody.takes(&instance("room-1")));
        assert!(!everybody.takes(&instance("")));
    }
}
