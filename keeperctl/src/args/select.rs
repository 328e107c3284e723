//! Which sessions: flags that several verbs share.

use std::{fmt, str::FromStr};

use clap::Args;
use keeper_client_sdk::SessionSelector;

use crate::{args::InstanceName, limits, name::Name};

/// Which sessions: those that match every flag given.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectSessions {
    /// Only sessions bound to this topic
    #[arg(long, value_parser = selecting)]
    pub(crate) topic: Option<Name>,

    /// Only sessions of this instance
    #[arg(long, value_name = "SERVICE/ID")]
    pub(crate) instance: Option<InstanceName>,

    /// Only users that begin with this: text, or 0x and hex digits
    #[arg(long, value_name = "USER", value_parser = selecting)]
    pub(crate) user_prefix: Option<Name>,

    /// Only this device of users; "" is the one without a name
    #[arg(long)]
    pub(crate) slot: Option<Name>,
}

impl SelectSessions {
    pub(crate) fn selector(&self) -> SessionSelector {
        let bytes = |name: &Option<Name>| name.as_ref().map(|name| name.bytes().to_vec()).unwrap_or_default();
        SessionSelector {
            topic: bytes(&self.topic).into(),
            instance: self.instance.as_ref().map(ToString::to_string).unwrap_or_default(),
            user_prefix: bytes(&self.user_prefix).into(),
            slot: self.slot.as_ref().map(|slot| slot.bytes().to_vec().into()),
        }
    }
}

/// What sessions are selected by. An empty one, as an unset variable of a shell leaves it, would select everybody.
pub(crate) fn selecting(typed: &str) -> Result<Name, String> {
    if typed.is_empty() {
        return Err("an empty name selects nobody: leave the flag out to select by the others alone".to_owned());
    }
    typed.parse()
}

/// As the servers tell it.
impl From<SessionSelector> for SelectSessions {
    fn from(selector: SessionSelector) -> Self {
        let name = |bytes: &[u8]| (!bytes.is_empty()).then(|| Name::from(bytes));
        Self {
            topic: name(&selector.topic),
            instance: selector.instance.parse().ok(),
            user_prefix: name(&selector.user_prefix),
            slot: selector.slot.map(|slot| Name::from(&slot[..])),
        }
    }
}

/// The same, as it would be typed; empty when nothing was.
impl fmt::Display for SelectSessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, instance, user_prefix, slot } = self;
        let typed = |flag: &str, name: &Option<Name>| name.as_ref().map(|name| format!("{flag} {}", name.quoted()));
        let parts = [
            typed("--topic", topic),
            instance.as_ref().map(|name| format!("--instance {name}")),
            typed("--user-prefix", user_prefix),
            typed("--slot", slot),
        ];
        formatter.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

/// One of several walks that together meet every session once, as people count: 1/4 is the first of four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartName {
    /// From 0.
    pub(crate) index: u32,
    pub(crate) of: u32,
}

impl FromStr for PartName {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let numbers = typed.split_once('/').and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)));
        let (at, of): (u32, u32) = numbers.ok_or("type which of how many: 1/4 is the first of four")?;
        if of == 0 || of > limits::PARTS_MAX {
            return Err(format!("{of} parts, but 1 to {} are allowed", limits::PARTS_MAX));
        }
        if at == 0 || at > of {
            return Err(format!("there is no part {at} of {of}: the first is 1/{of}, the last {of}/{of}"));
        }
        Ok(Self { index: at - 1, of })
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index + 1, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_selected_can_be_typed_again() {
        let select = SelectSessions {
            topic: Some("o'neil".parse().expect("a name")),
            instance: Some("room/r1".parse().expect("an instance")),
            user_prefix: Some(Name::from(&[0xff][..])),
            slot: Some(Name::default()),
        };
        let expected = r"--topic 'o'\''neil' --instance room/r1 --user-prefix 0xff --slot ''";
        assert_eq!(select.to_string(), expected);
        assert_eq!(SelectSessions::default().to_string(), "");
        assert_eq!(SelectSessions::from(select.selector()).to_string(), expected);
    }

    #[test]
    fn parts_are_counted_as_people_do() {
        assert_eq!("1/4".parse(), Ok(PartName { index: 0, of: 4 }));
        assert_eq!("4/4".parse::<PartName>().map(|it| it.to_string()), Ok("4/4".into()));
        for (typed, words) in [
            ("4", "type which of how many"),
            ("0/4", "there is no part 0 of 4: the first is 1/4, the last 4/4"),
            ("5/4", "there is no part 5 of 4"),
            ("1/0", "0 parts, but 1 to 1024 are allowed"),
            ("1/1025", "1025 parts"),
        ] {
            let refused = typed.parse::<PartName>().expect_err(typed);
            assert!(refused.starts_with(words), "{typed}: {refused}");
        }
    }
}
