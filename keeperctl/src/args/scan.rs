//! What was typed about a walk in parts, and where each part of it stands.

use std::{fmt, str::FromStr};

use clap::Args;

use crate::{
    args::SelectSessions,
    limits,
    name::{Name, hex},
    render,
};

#[derive(Debug, Args)]
pub(crate) struct ScanSessions {
    #[command(flatten)]
    pub(crate) select: SelectSessions,

    /// Walk in this many equal parts, side by side
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(limits::SCAN_PARTS_MAX)))]
    pub(crate) parts: u32,

    /// At most this many sessions a second, over all parts; as fast as they can be taken by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,

    /// Only those registered after this revision: the one an earlier scan ended with, or one for each of its parts
    #[arg(long, value_name = "REVISION", value_delimiter = ',')]
    pub(crate) since: Vec<u64>,

    /// Go on where an earlier scan of the same sessions was stopped: what it printed then
    #[arg(long, value_name = "TOKEN", conflicts_with = "parts")]
    pub(crate) resume: Option<Standing>,

    /// Only count
    #[arg(long, conflicts_with_all = ["resume", "rate"])]
    pub(crate) count: bool,
}

/// Where each part of a walk stands, in the parts' order. What is printed can be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing(pub(crate) Vec<PartStanding>);

/// Where one part of a walk stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartStanding {
    /// Nothing was told of it yet.
    New,
    /// It goes on from this token.
    At(Vec<u8>),
    /// It was walked to its end, over what was registered up to this revision.
    Done(u64),
}

const NEW: &str = "new";
const DONE: &str = "done@";

impl FromStr for Standing {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let parts: Vec<_> = typed.split(',').map(str::parse).collect::<Result<_, _>>()?;
        if parts.len() > limits::SCAN_PARTS_MAX as usize {
            return Err(format!("{} parts, but 1 to {} are allowed", parts.len(), limits::SCAN_PARTS_MAX));
        }
        Ok(Self(parts))
    }
}

impl FromStr for PartStanding {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let misread = || "type the token that the stopped scan printed".to_owned();
        if typed == NEW {
            return Ok(Self::New);
        }
        if let Some(revision) = typed.strip_prefix(DONE) {
            return revision.parse().map(Self::Done).map_err(|_| misread());
        }
        let token: Name = typed.parse().map_err(|_| misread())?;
        if !typed.starts_with("0x") { Err(misread()) } else { Ok(Self::At(token.bytes().to_vec())) }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&render::list(&self.0))
    }
}

impl fmt::Display for PartStanding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => formatter.write_str(NEW),
            Self::At(token) => formatter.write_str(&hex(token)),
            Self::Done(revision) => write!(formatter, "{DONE}{revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stopped_scan_prints_can_be_typed() {
        let standing = Standing(vec![PartStanding::New, PartStanding::At(vec![1, 0xff]), PartStanding::Done(41)]);
        assert_eq!(standing.to_string(), "new,0x01ff,done@41");
        assert_eq!("new,0x01ff,done@41".parse(), Ok(standing));
    }

    #[test]
    fn other_words_are_no_token() {
        for typed in ["", "ann", "0xa", "done@", "done@x", "0x01,,0x02"] {
            let refused = typed.parse::<Standing>().expect_err(typed);
            assert_eq!(refused, "type the token that the stopped scan printed", "{typed}");
        }
        let many = vec![NEW; limits::SCAN_PARTS_MAX as usize + 1].join(",");
        assert_eq!(many.parse::<Standing>(), Err("65 parts, but 1 to 64 are allowed".into()));
    }
}
