//! Where the nodes stand: on loopback, or each in a network namespace of its own.
//!
//! The namespaces of the nodes and of the clients hang on one that routes between them and has no way out: every pair
//! and direction passes one place, and no packet can leave the machine's inside. The harness itself lives in the
//! clients' namespace: its main thread [enters](Network::enter) it before any other thread begins.

use std::{
    collections::BTreeSet,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::AsFd,
    path::PathBuf,
};

use anyhow::{Context, Result};
use parking_lot::Mutex;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{
    command,
    leftovers::{Ledger, Thing},
};

/// Ports of every node in its own namespace: clients, peers, metrics.
const PORTS: [u16; 3] = [7_400, 7_401, 7_402];

/// The one rule of the router that stays: what is cut is dropped in silence.
const TABLE: &str = "table inet jepsen {\n chain cut {\n  type filter hook forward priority 0; policy accept;\n }\n}\n";

/// Somebody on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Node(usize),
    Clients,
}

/// A direction in which nothing passes.
pub(crate) type Cut = (Place, Place);

#[derive(Debug)]
pub(crate) enum Network {
    Loopback,
    Routed(Routed),
}

#[derive(Debug)]
pub(crate) struct Routed {
    name: String,
    cuts: Mutex<BTreeSet<Cut>>,
}

impl Network {
    /// Namespaces for so many nodes; the ledger removes them.
    pub(crate) fn routed(nodes: usize, ledger: &Ledger) -> Result<Self> {
        Self::routed_as(&format!("kj{}", std::process::id()), nodes, ledger)
    }

    pub(crate) fn routed_as(name: &str, nodes: usize, ledger: &Ledger) -> Result<Self> {
        let routed = Routed { name: name.to_owned(), cuts: Mutex::default() };
        routed.make(nodes, ledger).context("network namespaces cannot be made")?;
        Ok(Self::Routed(routed))
    }

    /// The addresses of every node: for clients, for peers, for metrics.
    pub(crate) fn addresses(&self, nodes: usize) -> Result<Vec<[SocketAddr; 3]>> {
        match self {
            Self::Loopback => free_addresses(nodes),
            Self::Routed(_) => {
                Ok((0..nodes).map(|at| PORTS.map(|port| (Place::Node(at).address(), port).into())).collect())
            }
        }
    }

    /// What a command line of a node begins with.
    pub(crate) fn prefix(&self, node: usize) -> Vec<String> {
        match self {
            Self::Loopback => Vec::new(),
            Self::Routed(routed) => {
                let namespace = path(&routed.namespace(Place::Node(node))).display().to_string();
                vec!["nsenter".to_owned(), format!("--net={namespace}"), "--".to_owned()]
            }
        }
    }

    /// Brings the calling thread to where clients are.
    pub(crate) fn enter(&self) -> Result<()> {
        match self {
            Self::Loopback => Ok(()),
            Self::Routed(routed) => enter(&routed.namespace(Place::Clients)),
        }
    }

    pub(crate) const fn routed_only(&self) -> Option<&Routed> {
        match self {
            Self::Loopback => None,
            Self::Routed(routed) => Some(routed),
        }
    }
}

impl Routed {
    fn make(&self, nodes: usize, ledger: &Ledger) -> Result<()> {
        let router = self.router();
        self.namespace_made(&router, ledger)?;
        let places = (0..nodes).map(Place::Node).chain([Place::Clients]);
        for place in places {
            let namespace = self.namespace(place);
            self.namespace_made(&namespace, ledger)?;
            let link = place.link();
            let veth = ["link", "add", &link, "netns", &router, "type", "veth", "peer", "name", "eth0", "netns"];
            command::run("ip", &[&veth[..], &[&namespace]].concat())?;
            let (gateway, address) = (place.gateway(), place.address());
            batch(&router, &format!("addr add {gateway}/30 dev {link}\nlink set {link} up\n"))?;
            batch(
                &namespace,
                &format!("addr add {address}/30 dev eth0\nlink set eth0 up\nroute add default via {gateway}\n"),
            )?;
        }
        self.in_router("sysctl", &["-q", "-w", "net.ipv4.ip_forward=1"], "")
    }

    fn namespace_made(&self, name: &str, ledger: &Ledger) -> Result<()> {
        ledger.note(&Thing::Namespace(name.to_owned()))?;
        command::run("ip", &["netns", "add", name])?;
        batch(name, "link set lo up\n")
    }

    pub(crate) fn router(&self) -> String {
        format!("{}-r", self.name)
    }

    fn namespace(&self, place: Place) -> String {
        match place {
            Place::Node(at) => format!("{}-{}", self.name, at + 1),
            Place::Clients => format!("{}-c", self.name),
        }
    }

    /// Makes these the cuts, and no others.
    pub(crate) fn cut(&self, cuts: BTreeSet<Cut>) -> Result<()> {
        let rule = |(from, to): &Cut| {
            format!("add rule inet jepsen cut ip saddr {} ip daddr {} drop\n", from.address(), to.address())
        };
        let rules: String = cuts.iter().map(rule).collect();
        let mut present = self.cuts.lock();
        // One transaction: there is no moment between the old cuts and the new ones.
        self.in_router("nft", &["-f", "-"], &format!("{TABLE}flush chain inet jepsen cut\n{rules}"))?;
        *present = cuts;
        Ok(())
    }

    /// Runs a program in the namespace of the router.
    pub(crate) fn in_router(&self, program: &str, arguments: &[&str], input: &str) -> Result<()> {
        let namespace = format!("--net={}", path(&self.router()).display());
        let prefix = [namespace.as_str(), "--", program];
        command::with_input("nsenter", &[&prefix[..], arguments].concat(), input).map(drop)
    }
}

impl Place {
    fn subnet(self) -> u8 {
        match self {
            Self::Node(at) => u8::try_from(at + 1).unwrap_or(u8::MAX),
            Self::Clients => 0,
        }
    }

    fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 91, self.subnet(), 1)
    }

    pub(crate) fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 91, self.subnet(), 2)
    }

    fn link(self) -> String {
        format!("to{}", self.subnet())
    }
}

fn batch(namespace: &str, lines: &str) -> Result<()> {
    command::with_input("ip", &["-n", namespace, "-batch", "-"], lines).map(drop)
}

fn path(namespace: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(namespace)
}

/// Brings the calling thread there; threads it starts from then on are there, too.
pub(crate) fn enter(namespace: &str) -> Result<()> {
    let file = File::open(path(namespace)).with_context(|| format!("there is no namespace {namespace}"))?;
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).context("a namespace cannot be entered")
}

/// Addresses that were free a moment ago.
fn free_addresses(nodes: usize) -> Result<Vec<[SocketAddr; 3]>> {
    // All held until all are known, so that no port is given twice.
    let mut held = Vec::new();
    let mut addresses = vec![[SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); 3]; nodes];
    for address in addresses.as_flattened_mut() {
        let listener = TcpListener::bind(*address).context("no free port")?;
        *address = listener.local_addr()?;
        held.push(listener);
    }
    Ok(addresses)
}
