//! Labels with few values, all known: their series exist from the first scrape on, and counting is an array access.

use std::marker::PhantomData;

use prometheus_client::metrics::family::Family;

/// A label's values.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// Where it stands in [`Label::ALL`].
    fn index(self) -> usize;
    /// How it is written.
    fn value(self) -> &'static str;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident = $label:literal { $($(#[$value_doc:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$value_doc])* $variant,)+
        }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn index(self) -> usize {
                self as usize
            }

            fn value(self) -> &'static str {
                match self {
                    $(Self::$variant => $value,)+
                }
            }
        }
    };
}

label! {
    /// Which proposals go first.
    Lane = "lane" {
        /// Leases, instances and controls.
        Lease = "lease",
        /// Config publishes, and what else admins ask for.
        Config = "config",
        /// Session writes.
        Session = "session",
        /// Reaping and other upkeep.
        Upkeep = "upkeep",
    }
}

label! {
    /// Who refuses what is too much: a lane, or the bound of something that is not proposed.
    Gatekeeper = "lane" {
        /// The lane of leases, instances and controls.
        Lease = "lease",
        /// The lane of config publishes.
        Config = "config",
        /// The lane of session writes.
        Session = "session",
        /// The lane of upkeep.
        Upkeep = "upkeep",
        /// A gateway's share of the lane of session writes.
        Gateway = "gateway",
        /// Lookups under way.
        Lookup = "lookup",
        /// Lookups that wait for a revision.
        Waiting = "waiting",
        /// Scans open.
        Scan = "scan",
        /// What is held in memory for clients.
        Memory = "memory",
    }
}

label! {
    /// Where connections come from.
    Listener = "listener" {
        /// Clients.
        Client = "client",
        /// Other nodes.
        Peer = "peer",
        /// Whoever reads metrics and health.
        Http = "http",
    }
}

label! {
    /// What a proposal came to.
    Outcome = "outcome" {
        /// The state did it.
        Done = "done",
        /// The state decided against it.
        Rejected = "rejected",
        /// Its lane was full.
        Full = "full",
        /// Its deadline passed before it was proposed.
        Expired = "expired",
        /// This node did not lead.
        NotLeader = "not_leader",
        /// It may have happened.
        Unknown = "unknown",
    }
}

label! {
    /// How fresh a read had to be.
    Consistency = "consistency" {
        /// Sees every write acknowledged before it.
        Linearizable = "linearizable",
        /// Sees at least a named revision.
        AtLeast = "at_least",
        /// Sees what this node has.
        Local = "local",
    }
}

label! {
    /// What a watcher watches.
    Kind = "kind" {
        /// Config documents.
        Config = "config",
        /// Effective documents of an instance.
        Follow = "follow",
        /// Instances of services.
        Instance = "instance",
        /// Controls for an instance.
        Control = "control",
        /// Notices for a gateway.
        Notice = "notice",
        /// Who came online and who left.
        Presence = "presence",
    }
}

label! {
    /// What an instance makes of a document.
    Applied = "applied" {
        /// It runs with it.
        Yes = "yes",
        /// It cannot, and runs with what it had.
        Refused = "refused",
        /// It runs with it but for fields that only count after a restart.
        NeedsRestart = "needs_restart",
    }
}

label! {
    /// What judging a publish came to.
    Judgement = "verdict" {
        /// Nothing speaks against it.
        Sound = "sound",
        /// Something does, and was overruled or only asked about.
        Overruled = "overruled",
        /// A schema or a process that reads it refuses it.
        Objected = "objected",
        /// It says something that cannot be.
        Invalid = "invalid",
        /// There is more of it than is judged or served.
        TooLarge = "too_large",
        /// It could not be judged here.
        Failed = "failed",
    }
}

impl From<Lane> for Gatekeeper {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::Lease => Self::Lease,
            Lane::Config => Self::Config,
            Lane::Session => Self::Session,
            Lane::Upkeep => Self::Upkeep,
        }
    }
}

/// One metric for each value of a label.
#[derive(Debug)]
pub struct By<L, M> {
    metrics: Vec<M>,
    label: PhantomData<fn(L)>,
}

impl<L: Label, M> By<L, M> {
    /// The metric of one value.
    pub fn of(&self, value: L) -> &M {
        &self.metrics[value.index()]
    }

    pub(super) fn new(metric: impl FnMut(&L) -> M) -> Self {
        Self { metrics: L::ALL.iter().map(metric).collect(), label: PhantomData }
    }
}

/// A label set as the registry wants it.
pub(super) type Labels = Vec<(&'static str, &'static str)>;

/// The label set of one value.
pub(super) fn labels<L: Label>(value: L) -> (&'static str, &'static str) {
    (L::NAME, value.value())
}

/// The metric of a label set, created with it.
pub(super) fn member<M: Clone + Default>(family: &Family<Labels, M>, labels: Labels) -> M {
    family.get_or_create_owned(&labels)
}
