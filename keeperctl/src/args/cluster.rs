//! What was typed about nodes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do about nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVerb {
    /// Ask every node how it is: those named, and the members they know
    ///
    /// Fails with exit code 1 when something is wrong that a person must see, and with 2 when no node answers.
    Status,
    /// Write the whole state to a file, from one node, while all go on working
    ///
    /// The file appears when it is complete and on the disk, or not at all. `keeper backup-verify` checks one, and
    /// `keeper restore` begins a new cluster with it.
    Backup(BackupCluster),
    /// End an upgrade: let the cluster write what came with the new release
    ///
    /// Until then every node can go back to the release before; afterwards none can. Refused while a member does not
    /// answer, or runs the release before.
    Upgrade,
    /// Change who is a member, or who leads
    #[command(flatten)]
    Member(MemberVerb),
}

/// What to do about members. The leader does it, step by step: cut off, type it again, and it goes on.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberVerb {
    /// Take a node in: one that runs with an empty directory and no `node_id` in its settings
    ///
    /// It is given its number, receives what the cluster has, and then votes. Add voters in pairs: four tolerate no
    /// more than three do.
    Add(AddMember),
    /// Give a learner a vote, once it has what the leader has
    Promote {
        /// Its number
        #[arg(value_parser = number)]
        node: u64,
    },
    /// Take a voter's vote away: it stays as a learner
    Demote {
        /// Its number
        #[arg(value_parser = number)]
        node: u64,
    },
    /// Leave a node out; its number is never given again
    ///
    /// Refused where too few of the voters that remain would answer to decide anything. A leader hands over first.
    Remove {
        /// Its number
        #[arg(value_parser = number)]
        node: u64,
    },
    /// Take a node in and leave another one out, in one change of the voters
    Replace {
        /// The number of the node that leaves
        #[arg(value_parser = number)]
        old: u64,
        /// Where the peer listener of the new one is
        #[arg(value_name = "HOST:PEERPORT", value_parser = peer)]
        peer: String,
    },
    /// Hand leadership over, and say for how long no write was acknowledged
    TransferLeader {
        /// To which node [default: the voter that lacks least]
        #[arg(value_parser = number)]
        node: Option<u64>,
    },
}

/// Whom to take in.
#[derive(Debug, Args)]
pub(crate) struct AddMember {
    /// Where its peer listener is
    #[arg(value_name = "HOST:PEERPORT", value_parser = peer)]
    pub(crate) peer: String,

    /// It gets no vote: it serves watches and reads, and costs writes nothing
    #[arg(long)]
    pub(crate) learner: bool,
}

/// What to back up.
#[derive(Debug, Args)]
pub(crate) struct BackupCluster {
    /// Where to; it must not exist
    pub(crate) file: PathBuf,

    /// Take it from this node [default: a follower, to spare the leader]
    #[arg(long, value_name = "NODE", value_parser = number)]
    pub(crate) from: Option<u64>,

    /// Take what the node has, without a majority to confirm that nothing is missing: for a cluster that has lost it
    #[arg(long)]
    pub(crate) local: bool,
}

fn number(typed: &str) -> Result<u64, String> {
    let number = typed.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        "a node is named by its number, as column NODE of `keeperctl cluster status` shows it".to_owned()
    })
}

fn peer(typed: &str) -> Result<String, String> {
    let is_sound = typed.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if is_sound {
        return Ok(typed.to_owned());
    }
    Err("a node that comes is named by where its peer listener is, without a scheme: node4.example:7401".to_owned())
}
