//! Whether the faults that were asked for can be made here: each is tried for real, and what is missing is named.

use anyhow::{Context, Result, bail};

use crate::{
    image::Image,
    leftovers::Ledger,
    nemesis::{Needs, build_shim, probe_packets},
    network::{Network, Place},
};

/// What a need is, whether it is there, and what to do when it is not.
pub(crate) struct Capability {
    pub(crate) name: &'static str,
    pub(crate) tried: Result<()>,
    pub(crate) remedy: &'static str,
}

/// Tries everything that is needed.
pub(crate) fn probe(needs: &Needs, ledger: &Ledger) -> Vec<Capability> {
    let mut found = Vec::new();
    let mut add = |is_needed: bool, name, remedy, try_it: &dyn Fn() -> Result<()>| {
        if is_needed {
            found.push(Capability { name, tried: try_it(), remedy });
        }
    };
    let root = "run as root; packages: iproute2, nftables, util-linux, procps";
    add(needs.namespaces, "network namespaces and nft", root, &|| namespaces(needs.queue, ledger));
    let packages = "package gcc, or another C compiler by that name";
    add(needs.shim, "a library of faults inside the nodes", packages, &|| build_shim(ledger.folder()).map(drop));
    let disk = "run as root; packages: xfsprogs, e2fsprogs, mount; loop devices";
    add(needs.image, "file systems that lose power", disk, &|| image(ledger));
    found
}

/// Fails with everything that is missing.
pub(crate) fn demand(needs: &Needs, ledger: &Ledger) -> Result<()> {
    let missing = probe(needs, ledger).into_iter().filter_map(|it| {
        let error = it.tried.err()?;
        Some(format!("{} ({error:#}; {})", it.name, it.remedy))
    });
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        bail!("faults that were asked for cannot be made here: {}", missing.join("; "));
    }
    Ok(())
}

fn namespaces(queue: bool, ledger: &Ledger) -> Result<()> {
    let name = format!("kj{}-probe", std::process::id());
    // A smaller world than that of a run, with all that a run needs of it.
    let network = Network::routed_as(&name, 1, ledger)?;
    let routed = network.routed_only().context("it was just made")?;
    routed.cut([(Place::Clients, Place::Node(0))].into())?;
    routed.cut([].into())?;
    if queue {
        probe_packets(routed).context("package iptables; NFQUEUE in the kernel")?;
    }
    Ok(())
}

fn image(ledger: &Ledger) -> Result<()> {
    let folder = ledger.folder().join("probe");
    std::fs::create_dir(&folder)?;
    for node in 0..2 {
        let image = Image::make(&folder, node, ledger)?;
        image.cut()?;
        image.remount()?;
    }
    Ok(())
}
