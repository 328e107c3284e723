//! What was typed to learn something of a config, its readers and its layers.

use clap::Args;
use keeper_client_sdk::Reader;

use crate::{
    args::{FormatName, Share, Target},
    limits,
};

#[derive(Debug, Args)]
pub(crate) struct LintConfig {
    /// The file, or - for standard input
    pub(crate) file: String,

    /// How it is written; by the file's ending unless given
    #[arg(long, value_enum, required_if_eq("file", "-"))]
    pub(crate) format: Option<FormatName>,

    /// Print the structure it is read as
    #[arg(long)]
    pub(crate) value: bool,

    /// Judge it as this document would be: by the schemas and the processes that read it
    #[arg(long = "as", value_name = "PATH")]
    pub(crate) path: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertConfig {
    /// The file, or - for standard input
    pub(crate) file: String,

    /// How it is to be written
    #[arg(long, value_enum)]
    pub(crate) to: FormatName,

    /// How it is written; by the file's ending unless given
    #[arg(long, value_enum, required_if_eq("file", "-"))]
    pub(crate) from: Option<FormatName>,
}

#[derive(Debug, Args)]
pub(crate) struct EffectiveConfig {
    /// Which document, without a layer
    pub(crate) path: String,

    #[command(flatten)]
    pub(crate) whom: Whom,

    /// Show which layer gave each field
    #[arg(long)]
    pub(crate) explain: bool,

    /// With its secrets, if the node is set to show them
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// An instance that is, or one that might be.
#[derive(Debug, Args)]
pub(crate) struct Whom {
    /// For this open instance; with a service alone, for one that might be
    #[arg(long = "for", visible_alias = "as", value_name = "SERVICE[/ID]")]
    pub(crate) target: Option<Target>,

    /// For one in this zone that might be
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,

    /// For one with this label that might be; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub(crate) labels: Vec<(String, String)>,
}

impl Whom {
    /// Zone and labels are those that an open instance has: naming others for it would be a mistake.
    pub(crate) fn reader(&self) -> Result<Reader, String> {
        let reader = match &self.target {
            Some(Target { service, id: Some(id) }) if self.zone.is_none() && self.labels.is_empty() => {
                return Ok(Reader::instance(service, id));
            }
            Some(Target { service, id: Some(id) }) => {
                return Err(format!("{service}/{id} has the zone and labels that it opened with: name no others"));
            }
            Some(Target { service, id: None }) => Reader::service(service),
            None => Reader::nobody(),
        };
        let reader = self.zone.iter().fold(reader, |reader, zone| reader.zone(zone));
        Ok(self.labels.iter().fold(reader, |reader, (name, value)| reader.label(name, value)))
    }
}

pub(crate) fn label(typed: &str) -> Result<(String, String), String> {
    let parts = typed.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    let (name, value) = parts.ok_or("a label is typed NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct StatusConfig {
    /// Which document, without a layer
    pub(crate) path: String,

    /// Instances shown, those first that refuse or lag
    #[arg(long, value_name = "N", default_value_t = limits::READERS_SHOWN)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::READERS_SHOWN_MAX)))]
    pub(crate) limit: u32,

    /// Wait, for --timeout at most, until this share of them run with what they are to run with
    #[arg(long, value_name = "SHARE")]
    pub(crate) wait: Option<Share>,
}
