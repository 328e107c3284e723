//! What was typed about rollouts.

use clap::{Args, Subcommand};

use crate::args::{FormatName, Insistence, Reason, Share, TypedStage, config::forced};

/// What to do about rollouts.
#[derive(Debug, Subcommand)]
pub(crate) enum RolloutVerb {
    /// Give a change to a few instances first, stage after stage
    ///
    /// A stage is whom, how many and for how long, such as "zone=eu-1 5% 10m". What is open is everything up to a
    /// stage: an instance that is in at 5% is in at 6%. The next stage opens when every instance that has the change
    /// runs with it and the time has passed; without a time, when somebody advances it. The first refusal, and the
    /// first instance that is unwell, ends the rollout.
    Start(StartRollout),
    /// List rollouts, newest first
    List {
        /// Only those of this document
        #[arg(default_value = "", hide_default_value = true)]
        path: String,

        /// Only those of which something may still come
        #[arg(long)]
        unfinished: bool,
    },
    /// Show one, and what its instances say
    Show {
        #[command(flatten)]
        which: WhichRollout,
    },
    /// Show it as it goes on, until it ends
    Watch {
        #[command(flatten)]
        which: WhichRollout,
    },
    /// Open the next stage now; after the last one, publish
    Advance {
        #[command(flatten)]
        which: WhichRollout,

        /// Refuse unless this is the last open stage, from 1
        #[arg(long, value_name = "STAGE")]
        from: Option<u32>,
    },
    /// Open no further stage; those who have the change keep it
    Pause {
        #[command(flatten)]
        which: WhichRollout,
    },
    /// Go on after a pause
    Resume {
        #[command(flatten)]
        which: WhichRollout,
    },
    /// Publish it to everybody now
    Promote {
        #[command(flatten)]
        which: WhichRollout,

        /// Publish although schemas or processes speak against it; the reason is kept in the history
        #[arg(long, value_name = "REASON", value_parser = forced)]
        force: Option<String>,
    },
    /// End it: nobody has the change any more
    #[command(visible_alias = "stop")]
    Abort {
        #[command(flatten)]
        which: WhichRollout,

        /// Why, as the rollout shows it
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
    },
}

/// A rollout by its number, or the one of a document: that under way, or else its last.
#[derive(Debug, Args)]
pub(crate) struct WhichRollout {
    /// Its number, or a document it is about
    #[arg(value_name = "NUMBER|PATH")]
    pub(crate) which: String,
}

#[derive(Debug, Args)]
pub(crate) struct StartRollout {
    /// The document, such as push/room.toml, or a layer of it
    pub(crate) path: String,

    /// The file, or - for standard input
    pub(crate) file: String,

    /// One more document that changes with it; may be repeated
    #[arg(long, num_args = 2, value_names = ["PATH", "FILE"])]
    pub(crate) also: Vec<String>,

    /// Whom, how many and for how long, such as "zone=eu-1 5% 10m"; may be repeated
    #[arg(long = "stage", value_name = "STAGE", required = true)]
    pub(crate) stages: Vec<TypedStage>,

    /// How many of those who have it must run with it before the next stage opens
    #[arg(long, value_name = "SHARE", default_value = "100%")]
    pub(crate) applied: Share,

    /// How the files are written; by the paths' endings unless given
    #[arg(long, value_enum)]
    pub(crate) format: Option<FormatName>,

    #[command(flatten)]
    pub(crate) insistence: Insistence,

    #[command(flatten)]
    pub(crate) reason: Reason,

    /// Show it as it goes on, until it ends
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) watch: bool,
}
