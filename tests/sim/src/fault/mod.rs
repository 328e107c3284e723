//! What goes wrong, when, and whether it really did.

mod nemesis;
mod schedule;

pub use nemesis::{DRIFT_PPM, Nemesis};
pub use schedule::{Planned, schedule};

/// What goes wrong. Whom it strikes is drawn when it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process of one node ends at once.
    Kill,
    /// One node loses power.
    PowerCut,
    /// All nodes lose power.
    Blackout,
    /// The leader is alone, or a follower.
    Isolate,
    /// Nothing passes from one node to another; the other way all does.
    OneWay,
    /// A follower is cut off for so long that it needs a snapshot.
    Lag,
    /// Everything from and to a node is late.
    Slow,
    /// The process of a node stops, and goes on.
    Pause,
    /// The process of a node stops for longer than a lease lasts.
    PauseLong,
    /// All wall clocks jump, each by its own amount: whoever leads reads one of them.
    ClockJump,
    /// A node's monotonic clock runs fast or slow.
    Drift,
    /// A sync fails.
    DiskError,
    /// The disk is full, and the log cannot be written.
    DiskFull,
    /// So many disks have no room to spare that nothing may grow; what ends something goes on.
    DiskShort,
    /// Syncs take long.
    DiskSlow,
    /// A disk is gone for good; its node has to be replaced.
    DiskLost,
    /// A node loses power, and finds its log shorter, or its snapshot damaged: its disk is as good as lost.
    DiskDamaged,
    /// The process of gateways ends at once.
    GatewaysKill,
    /// The gateways cannot reach the leader.
    GatewaysCut,
}

impl Fault {
    /// All there are.
    pub const ALL: [Self; 19] = [
        Self::Kill,
        Self::PowerCut,
        Self::Blackout,
        Self::Isolate,
        Self::OneWay,
        Self::Lag,
        Self::Slow,
        Self::Pause,
        Self::PauseLong,
        Self::ClockJump,
        Self::Drift,
        Self::DiskError,
        Self::DiskFull,
        Self::DiskShort,
        Self::DiskSlow,
        Self::DiskLost,
        Self::DiskDamaged,
        Self::GatewaysKill,
        Self::GatewaysCut,
    ];

    /// How long it lasts, in milliseconds.
    const fn lasting_ms(self) -> std::ops::RangeInclusive<u64> {
        match self {
            Self::Kill | Self::PowerCut | Self::Blackout | Self::GatewaysKill => 50..=2_500,
            Self::Isolate | Self::OneWay | Self::Slow | Self::DiskSlow | Self::GatewaysCut => 300..=3_500,
            Self::DiskLost | Self::DiskDamaged => 2_000..=4_000,
            Self::Lag => 2_500..=4_000,
            Self::Pause => 100..=1_200,
            Self::PauseLong => 2_200..=4_500,
            Self::ClockJump | Self::Drift | Self::DiskShort => 1_500..=4_000,
            Self::DiskError | Self::DiskFull => 500..=1_500,
        }
    }
}
