//! Integration: real nodes, real sockets, real disks, through the SDK.
//!
//! One file a noun, and `cluster` and `processes` for what happens to the nodes themselves.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it, in its helpers too")]

mod backup;
mod cache;
mod cluster;
mod config;
mod config_consumers;
mod config_effective;
mod config_failover;
mod config_judge;
mod config_past;
mod config_refusals;
mod config_sdk_follow;
mod config_sdk_status;
mod config_secrets;
mod config_text;
mod connections;
mod ctl;
mod ctl_config_folder;
mod ctl_config_import;
mod ctl_config_judged;
mod ctl_config_readers;
mod ctl_config_sync;
mod ctl_members;
mod ctl_session;
mod damage;
mod disk;
mod follow_announce;
mod follow_push;
mod follow_raw;
mod follow_rollout;
mod follow_status;
mod founding;
mod gateway;
mod hostile;
mod instance;
mod kick;
mod limits;
mod majority;
mod members;
mod members_cut_off;
mod monitoring;
mod name;
mod presence;
mod processes;
mod put_back;
mod rebuild;
mod removed;
mod replicas;
mod scan;
mod session;
mod silence;
mod twins;
mod upgrade;
mod upgrade_configs;
mod wiped;
mod wire;
