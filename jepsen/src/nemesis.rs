//! Faults: who makes them, what each needs, and how they are mixed.
//!
//! Each kind of fault strikes again and again in a task of its own, with randomness of its own: a seed fixes what every
//! kind does, whichever others run beside it. A strike makes the fault, lets it last, and ends it. None is stopped in
//! the middle: when faults are [over](World::over), what lasts ends at once. Strikes of several kinds overlap freely.

mod clock;
mod damage;
mod disk;
pub(crate) mod full;
mod kill;
mod membership;
mod packets;
mod partition;
mod pause;
mod power;
mod rolling;
mod shim;
mod transfer;
mod upgrade;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use clap::ValueEnum;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::world::World;

pub(crate) use membership::enlist;
pub(crate) use packets::{Packets, probe as probe_packets};
pub(crate) use shim::{Control, build as build_shim};

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// SIGKILL: one node, the leader, all
    Kill,
    /// SIGSTOP: shorter and longer than an election and a lease
    Pause,
    /// Nothing passes: halves, one way, bridge, the leader alone, flapping
    Partition,
    /// Packets are late, lost and out of order
    Packets,
    /// The wall clock jumps and drifts
    Clock,
    /// The disk is slow or hangs; writes and syncs fail; a write is torn
    Disk,
    /// The disk is full, to the reserve and to the last byte
    Full,
    /// Power is cut: what was not synced is gone
    Power,
    /// Bits of a file flip, or its end is gone, while its node is down
    Damage,
    /// Every node is stopped in order and started again, one after another
    Rolling,
    /// Nodes join, are promoted and demoted, leave, are replaced, and lose their disks
    Membership,
    /// The leader hands over
    Transfer,
    /// Nodes go from an older build to this one, back and forth, and the feature level is raised; once in a run
    Upgrade,
}

/// What the faults of a run need from the system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) namespaces: bool,
    pub(crate) queue: bool,
    pub(crate) shim: bool,
    pub(crate) image: bool,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Packets => "packets",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Full => "full",
            Self::Power => "power",
            Self::Damage => "damage",
            Self::Rolling => "rolling",
            Self::Membership => "membership",
            Self::Transfer => "transfer",
            Self::Upgrade => "upgrade",
        }
    }

    async fn strike(self, world: &World, random: &mut StdRng) -> Result<()> {
        match self {
            Self::Kill => kill::strike(world, random).await,
            Self::Pause => pause::strike(world, random).await,
            Self::Partition => partition::strike(world, random).await,
            Self::Packets => packets::strike(world, random).await,
            Self::Clock => clock::strike(world, random).await,
            Self::Disk => disk::strike(world, random).await,
            Self::Full => full::strike(world, random).await,
            Self::Power => power::strike(world, random).await,
            Self::Damage => damage::strike(world, random).await,
            Self::Rolling => rolling::strike(world, random).await,
            Self::Membership => membership::strike(world, random).await,
            Self::Transfer => transfer::strike(world, random).await,
            Self::Upgrade => upgrade::strike(world, random).await,
        }
    }

    /// Strikes until faults are over, beside so many kinds in all.
    pub(crate) async fn run(self, world: Arc<World>, kinds: usize, seed: u64) -> Result<()> {
        let mut random = StdRng::seed_from_u64(seed << 8 | self as u64);
        loop {
            // Short, so that even a short run sees every kind; longer among many, so that there is something to break.
            let rest = Duration::from_millis(random.random_range(300..3_000));
            world.rest(rest * u32::try_from(kinds.div_ceil(KINDS_AT_ONCE))?).await;
            if world.is_over() {
                return Ok(());
            }
            self.strike(&world, &mut random).await.with_context(|| format!("fault {}", self.name()))?;
        }
    }
}

impl Needs {
    pub(crate) fn of(faults: &[Fault]) -> Self {
        let has = |some: &[Fault]| faults.iter().any(|fault| some.contains(fault));
        Self {
            namespaces: has(&[Fault::Partition, Fault::Packets]),
            queue: has(&[Fault::Packets]),
            shim: has(&[Fault::Clock, Fault::Disk]),
            image: has(&[Fault::Power, Fault::Full]),
        }
    }
}

/// So many kinds strike as often as each does alone. Where more strike, each strikes less often: a cluster that never
/// has a leader acknowledges nothing, and nothing can be lost.
const KINDS_AT_ONCE: usize = 4;

/// The longest that a fault lasts.
pub(crate) const LASTS_MAX: Duration = Duration::from_secs(8);

/// Longer than any election or lease of a run.
const LONG: Duration = Duration::from_secs(4);

/// How long a fault lasts: mostly short, now and then [`LONG`].
fn lasting(random: &mut StdRng) -> Duration {
    let is_long = random.random_bool(0.25);
    if is_long { random.random_range(LONG..LASTS_MAX) } else { Duration::from_millis(random.random_range(300..2_500)) }
}

/// One of them, if there is one.
fn one_of(candidates: &[usize], random: &mut StdRng) -> Option<usize> {
    (!candidates.is_empty()).then(|| candidates[random.random_range(0..candidates.len())])
}
