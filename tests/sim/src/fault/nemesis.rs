//! Does the harm that was planned, undoes it, and knows what really happened.

use std::collections::BTreeMap;

use keeper::store::memory::Fault as DiskFault;
use keeper_registry::Level;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::{Fault, Planned};
use crate::cluster::Cluster;
use crate::disk::{Disk, Filled};
use crate::node::SimNode;
use crate::world::{BrokenLink, HostId, LinkFault};

/// How far a wall clock jumps at most, in either direction.
const JUMP_MS: i64 = 3_600_000;

/// How wrong a monotonic clock is at most: ten times what the worst ones are.
pub const DRIFT_PPM: i32 = 2_000;

/// How late everything is at most.
const SLOW_MS: u64 = 150;

/// How much longer a sync takes.
const DISK_SLOW_MS: std::ops::RangeInclusive<u64> = 50..=400;

/// By how much a fault lasts longer whose effect is still to come.
const LONGER_MS: u64 = 8_000;

/// Carries out a plan.
#[derive(Debug)]
pub struct Nemesis {
    planned: Vec<Planned>,
    under_way: Vec<UnderWay>,
    /// How often each fault struck, and how often it had an effect.
    pub struck: BTreeMap<Fault, [u64; 2]>,
}

#[derive(Debug)]
struct UnderWay {
    plan: Planned,
    harm: Harm,
    /// Of measures that grow when the fault has an effect.
    before: [u64; 2],
}

/// What was done, so that it can be undone.
#[derive(Debug)]
enum Harm {
    Down(Vec<usize>),
    Paused(usize),
    Links(Vec<BrokenLink>),
    Clocks,
    Drift(usize),
    Disk(usize),
    Short(Vec<usize>),
    Slow(usize),
    Lost(usize),
    /// Is lost again as soon as its node is half taken in.
    LosesAgain(usize),
    Gateways(usize),
}

impl UnderWay {
    /// A follower is cut off until its log cannot be mended any more; a broken disk waits for something to write, a
    /// full one for something to refuse, and a lost one for its node to be replaced.
    fn longer_ms(&self, cluster: &Cluster) -> u64 {
        let is_pending = match &self.harm {
            Harm::Links(links) => self.plan.fault == Fault::Lag && !is_left_behind(cluster, links),
            Harm::Disk(_) | Harm::Short(_) => !has_grown(self.before, measure(cluster, self.plan.fault)),
            Harm::Lost(at) => cluster.is_without_disk(*at),
            Harm::LosesAgain(_) => !cluster.is_whole(),
            Harm::Down(_) | Harm::Paused(_) | Harm::Clocks | Harm::Drift(_) | Harm::Slow(_) | Harm::Gateways(_) => {
                false
            }
        };
        if is_pending { LONGER_MS } else { 0 }
    }
}

impl Nemesis {
    /// Will do this.
    #[must_use]
    pub const fn new(planned: Vec<Planned>) -> Self {
        Self { planned, under_way: Vec::new(), struck: BTreeMap::new() }
    }

    /// Whether there is nothing left to do or undo.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.planned.is_empty() && self.under_way.is_empty()
    }

    /// Does and undoes what is due.
    pub fn step(&mut self, cluster: &mut Cluster) {
        let now_ms = cluster.world.now_ms();
        self.lose_again(cluster);
        let is_over = |it: &UnderWay| it.plan.until_ms + it.longer_ms(cluster) <= now_ms;
        let (over, under_way) = std::mem::take(&mut self.under_way).into_iter().partition(is_over);
        self.under_way = under_way;
        for one in over {
            self.undo(cluster, one);
        }
        while self.planned.first().is_some_and(|plan| plan.from_ms <= now_ms) {
            let plan = self.planned.remove(0);
            self.strike(cluster, plan);
        }
    }

    fn strike(&mut self, cluster: &mut Cluster, plan: Planned) {
        let fault = plan.fault;
        let Some(harm) = harm(cluster, fault) else { return };
        // Half of them, without another draw.
        let harm = if let Harm::Lost(at) = harm
            && fault == Fault::DiskLost
            && plan.from_ms.is_multiple_of(2)
        {
            Harm::LosesAgain(at)
        } else {
            harm
        };
        self.struck.entry(fault).or_default()[0] += 1;
        cluster.tell(format_args!("{fault:?} strikes: {harm:?}"));
        let before = measure(cluster, fault);
        self.under_way.push(UnderWay { plan, harm, before });
    }

    /// The disk of a node that is half taken in anew is lost as well: two numbers are left at its address.
    fn lose_again(&mut self, cluster: &mut Cluster) {
        for one in &mut self.under_way {
            if let Harm::LosesAgain(at) = one.harm
                && cluster.is_half_taken_in(at)
                && cluster.lose_disk(at).is_ok()
            {
                cluster.tell(format_args!("the disk of node {} is lost again", at + 1));
                one.harm = Harm::Lost(at);
            }
        }
    }

    fn undo(&mut self, cluster: &mut Cluster, one: UnderWay) {
        let UnderWay { plan, harm, before } = one;
        // Whether a lag had one shows at the end of the run: the snapshot comes after the way is open again.
        let has_effect = match harm {
            Harm::Clocks => cluster.nodes.iter().any(|node| node.wall.reads() > 0),
            Harm::Lost(at) | Harm::LosesAgain(at) => !cluster.is_damaged(at),
            Harm::Down(_)
            | Harm::Paused(_)
            | Harm::Links(_)
            | Harm::Drift(_)
            | Harm::Disk(_)
            | Harm::Short(_)
            | Harm::Slow(_)
            | Harm::Gateways(_) => !has_measure(plan.fault) || has_grown(before, measure(cluster, plan.fault)),
        };
        self.struck.entry(plan.fault).or_default()[1] += u64::from(has_effect);
        cluster.tell(format_args!("{:?} is over", plan.fault));
        match harm {
            Harm::Down(nodes) => nodes.into_iter().for_each(|at| cluster.start_node(at)),
            Harm::Paused(at) => cluster.world.resume(cluster.nodes[at].host),
            Harm::Links(links) => {
                for link in links {
                    cluster.world.net().mend_link(link);
                }
            }
            Harm::Clocks => {}
            Harm::Drift(at) => cluster.world.drift(cluster.nodes[at].host, 0),
            // A node that stopped by itself is started again by whoever watches it, as everywhere.
            Harm::Disk(at) => cluster.nodes[at].disk.relieve(Filled::Up),
            Harm::Short(nodes) => nodes.into_iter().for_each(|at| cluster.nodes[at].disk.relieve(Filled::Within)),
            // Its operator has replaced it, or will.
            Harm::Lost(_) | Harm::LosesAgain(_) => {}
            Harm::Slow(at) => cluster.nodes[at].disk.slow_down(0),
            Harm::Gateways(at) => cluster.start_clients(at),
        }
    }
}

/// Whether a node behind these links has missed what others have purged by now.
fn is_left_behind(cluster: &Cluster, links: &[BrokenLink]) -> bool {
    let behind = links.first().and_then(|link| cluster.nodes.iter().find(|node| node.host == link.from));
    let applied = behind.map_or(0, SimNode::applied);
    cluster.nodes.iter().any(|node| node.leads() && node.purged() > applied)
}

fn has_measure(fault: Fault) -> bool {
    let is_of_net = matches!(fault, Fault::Isolate | Fault::OneWay | Fault::GatewaysCut);
    is_of_net || matches!(fault, Fault::DiskError | Fault::DiskFull | Fault::DiskShort)
}

/// Both grow when the fault has an effect.
fn measure(cluster: &Cluster, fault: Fault) -> [u64; 2] {
    let [refused, ended] = cluster.history.shortage();
    if fault == Fault::DiskShort {
        return [refused, ended];
    }
    let grows = if fault == Fault::DiskError {
        cluster.disk_failures()
    } else if fault == Fault::DiskFull {
        // It is refused what it would write, or clients what they would have it take.
        cluster.disk_failures() + refused
    } else {
        cluster.world.net().held()
    };
    [grows; 2]
}

fn has_grown(before: [u64; 2], now: [u64; 2]) -> bool {
    before.iter().zip(now).all(|(before, now)| *before < now)
}

/// Does harm; none when nobody is there to be harmed.
fn harm(cluster: &mut Cluster, fault: Fault) -> Option<Harm> {
    let leader = (0..cluster.nodes.len()).find(|at| cluster.nodes[*at].leads() && cluster.is_up(*at));
    let is_there = |at: &usize| cluster.is_up(*at) && cluster.is_member(*at);
    let up: Vec<usize> = (0..cluster.nodes.len()).filter(is_there).collect();
    let anyone = *up.choose(cluster.world.rng())?;
    // The leader is worth two.
    let victim = if cluster.world.rng().random_range(0..2) == 0 { leader.unwrap_or(anyone) } else { anyone };
    Some(match fault {
        Fault::Kill | Fault::PowerCut | Fault::Blackout => {
            let victims = if fault == Fault::Blackout { up } else { vec![victim] };
            victims.iter().for_each(|at| cluster.stop_node(*at, fault));
            Harm::Down(victims)
        }
        Fault::Isolate | Fault::Lag | Fault::Slow => {
            let victim = if fault == Fault::Lag { follower(cluster, leader, &up)? } else { victim };
            let others = cluster.hosts().filter(|host| *host != cluster.nodes[victim].host);
            let links = both_ways(cluster.nodes[victim].host, others);
            break_links(cluster, links, (fault != Fault::Slow).then_some(LinkFault::Cut))
        }
        Fault::OneWay => {
            let other = *up.iter().find(|at| **at != victim)?;
            let (from, to) = (cluster.nodes[victim].host, cluster.nodes[other].host);
            let link = if cluster.world.rng().random_range(0..2) == 0 { (from, to) } else { (to, from) };
            break_links(cluster, vec![link], Some(LinkFault::Cut))
        }
        Fault::Pause | Fault::PauseLong => {
            cluster.world.pause(cluster.nodes[victim].host);
            Harm::Paused(victim)
        }
        Fault::ClockJump => {
            for at in 0..cluster.nodes.len() {
                let by_ms = cluster.world.rng().random_range(-JUMP_MS..=JUMP_MS);
                cluster.nodes[at].wall.jump(by_ms);
            }
            Harm::Clocks
        }
        Fault::Drift => {
            let ppm = cluster.world.rng().random_range(-DRIFT_PPM..=DRIFT_PPM);
            cluster.world.drift(cluster.nodes[victim].host, ppm);
            Harm::Drift(victim)
        }
        Fault::DiskError | Fault::DiskFull => {
            break_disk(&cluster.nodes[victim].disk, fault);
            Harm::Disk(victim)
        }
        Fault::DiskShort => fill_disks(cluster, up),
        Fault::DiskSlow => {
            let slow_ms = cluster.world.rng().random_range(DISK_SLOW_MS);
            cluster.nodes[victim].disk.slow_down(slow_ms);
            Harm::Slow(victim)
        }
        // One at a time: of three voters, two without their disks are one too many.
        Fault::DiskLost | Fault::DiskDamaged if !cluster.is_whole() => return None,
        // The first release has no way to take in whoever comes in its place.
        Fault::DiskLost | Fault::DiskDamaged if cluster.level() < Level::NAMED => return None,
        Fault::DiskDamaged if !cluster.damage_disk(victim) => return None,
        Fault::DiskDamaged => Harm::Lost(victim),
        Fault::DiskLost => {
            cluster.lose_disk(victim).ok()?;
            Harm::Lost(victim)
        }
        Fault::GatewaysKill => Harm::Gateways(cluster.kill_gateways()?),
        Fault::GatewaysCut => {
            let gateways = cluster.gateway_hosts();
            let links = both_ways(cluster.nodes[victim].host, gateways.into_iter());
            break_links(cluster, links, Some(LinkFault::Cut))
        }
    })
}

/// The next sync fails; for want of room, which then is not there for anything else either.
fn break_disk(disk: &Disk, fault: Fault) {
    if fault == Fault::DiskError {
        return disk.fail(DiskFault::Io);
    }
    disk.fill(Filled::Up);
    disk.fail(DiskFault::NoSpace);
}

/// So many that the others are no quorum.
fn fill_disks(cluster: &mut Cluster, mut nodes: Vec<usize>) -> Harm {
    nodes.shuffle(cluster.world.rng());
    nodes.truncate(cluster.world.rng().random_range(nodes.len() / 2 + 1..=nodes.len()));
    nodes.iter().for_each(|at| cluster.nodes[*at].disk.fill(Filled::Within));
    Harm::Short(nodes)
}

fn follower(cluster: &mut Cluster, leader: Option<usize>, up: &[usize]) -> Option<usize> {
    let followers: Vec<usize> = up.iter().copied().filter(|at| Some(*at) != leader).collect();
    followers.choose(cluster.world.rng()).copied()
}

fn both_ways(one: HostId, others: impl Iterator<Item = HostId>) -> Vec<(HostId, HostId)> {
    others.flat_map(|other| [(one, other), (other, one)]).collect()
}

/// Cuts links, or slows them down.
fn break_links(cluster: &mut Cluster, links: Vec<(HostId, HostId)>, fault: Option<LinkFault>) -> Harm {
    let broken = links.into_iter().map(|(from, to)| {
        let extra_ms = cluster.world.rng().random_range(1..=SLOW_MS);
        let link = BrokenLink { from, to, fault: fault.unwrap_or(LinkFault::Slow { extra_ms }) };
        cluster.world.net().break_link(link);
        link
    });
    Harm::Links(broken.collect())
}
