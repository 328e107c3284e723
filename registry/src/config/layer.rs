//! Which instances a document is for.
//!
//! A document's key is a path, or a path and a layer: `push/room.toml`, `push/room.toml@zone=eu-1`,
//! `push/room.toml@service=room`, `push/room.toml@label.app=x,label.ring=canary`. What an instance is to run with are
//! the layers that match it, applied in their order: base, zone, service, labels; fewer labels first, then by their
//! names and values. Where two layers say different things, the one applied later counts.
//!
//! A layer has one spelling, labels sorted by name: two keys are never the same layer. Words are of the characters of a
//! path's parts, so that a key needs no quoting; a zone or label with other characters, or a label without a value,
//! cannot be addressed.

use std::{cmp::Ordering, fmt};

use crate::{Instance, Rejection, check, limits};

/// Which instances a document is for. Ordered as layers are applied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// All of them.
    Base,
    /// Those in a zone.
    Zone(String),
    /// Those of a service.
    Service(String),
    /// Those that have all of these labels.
    Labels(LayerLabels),
}

/// Labels of a layer: at least one, sorted by name, names unique.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LayerLabels(Vec<(String, String)>);

/// Why a text is no layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayerError {
    /// Something else in front of the `=`, or no `=`.
    #[error(
        "`{0}` is no layer: a layer is zone=ZONE, service=SERVICE, or label.NAME=VALUE and more labels behind commas"
    )]
    Unknown(String),
    /// A zone, service or label that is empty or has other characters.
    #[error("`{0}` is empty or has characters outside [A-Za-z0-9._-]")]
    Word(String),
    /// A label twice.
    #[error("label `{0}` is named twice")]
    Repeated(String),
    /// More labels than an instance can have.
    #[error("a layer names {0} labels; an instance has at most {max}", max = limits::LABELS_MAX)]
    TooMany(usize),
}

impl Layer {
    /// Reads what stands behind the `@` of a key. Labels may come in any order.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn parse(text: &str) -> Result<Self, LayerError> {
        let unknown = || LayerError::Unknown(text.to_owned());
        let (kind, word) = text.split_once('=').ok_or_else(unknown)?;
        match kind {
            "zone" => Ok(Self::Zone(plain(word)?)),
            "service" => Ok(Self::Service(plain(word)?)),
            _ if kind.starts_with(LABEL) => Ok(Self::Labels(LayerLabels::parse(text)?)),
            _ => Err(unknown()),
        }
    }

    /// The path and the layer of a key that is written as the state keeps it.
    ///
    /// # Errors
    /// The layer is none, or is not in its one spelling. The path itself is not looked at.
    pub fn of_key(key: &str) -> Result<(&str, Self), Rejection> {
        let Some((path, suffix)) = key.split_once(MARK) else { return Ok((key, Self::Base)) };
        check::size("layer", suffix.len(), limits::LAYER_BYTES_MAX)?;
        let layer = Self::parse(suffix).ok().filter(|layer| layer.to_string() == suffix);
        layer.map(|layer| (path, layer)).ok_or(Rejection::BadName { field: "layer" })
    }

    /// The key of a path's document at this layer.
    #[must_use]
    pub fn key(&self, path: &str) -> String {
        match self {
            Self::Base => path.to_owned(),
            Self::Zone(_) | Self::Service(_) | Self::Labels(_) => format!("{path}{MARK}{self}"),
        }
    }

    /// Whether it is for an instance.
    #[must_use]
    pub fn matches(&self, instance: &Instance) -> bool {
        match self {
            Self::Base => true,
            Self::Zone(zone) => *zone == instance.zone,
            Self::Service(service) => **service == *instance.service,
            Self::Labels(labels) => labels.iter().all(|label| instance.labels.contains(label)),
        }
    }
}

/// Between a path and its layer; no path has it.
pub(crate) const MARK: char = '@';

const LABEL: &str = "label.";

impl LayerLabels {
    fn parse(text: &str) -> Result<Self, LayerError> {
        let label = |text: &str| {
            let unknown = || LayerError::Unknown(text.to_owned());
            let (name, value) = text.strip_prefix(LABEL).and_then(|label| label.split_once('=')).ok_or_else(unknown)?;
            Ok((plain(name)?, plain(value)?))
        };
        let mut labels = text.split(',').map(label).collect::<Result<Vec<_>, _>>()?;
        if labels.len() > limits::LABELS_MAX {
            return Err(LayerError::TooMany(labels.len()));
        }
        labels.sort_unstable();
        match labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            None => Ok(Self(labels)),
            Some(pair) => Err(LayerError::Repeated(pair[0].0.clone())),
        }
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(String, String)> {
        self.0.iter()
    }
}

impl Ord for LayerLabels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for LayerLabels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What stands behind the `@`, in the one spelling; nothing for the base.
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => Ok(()),
            Self::Zone(zone) => write!(f, "zone={zone}"),
            Self::Service(service) => write!(f, "service={service}"),
            Self::Labels(labels) => labels.iter().enumerate().try_for_each(|(place, (name, value))| {
                let comma = if place == 0 { "" } else { "," };
                write!(f, "{comma}{LABEL}{name}={value}")
            }),
        }
    }
}

fn plain(word: &str) -> Result<String, LayerError> {
    if check::is_plain(word) { Ok(word.to_owned()) } else { Err(LayerError::Word(word.to_owned())) }
}
