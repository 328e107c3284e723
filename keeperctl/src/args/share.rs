//! Shares of instances, and stages of a rollout, as they are typed.

use std::{fmt, str::FromStr, time::Duration};

use keeper_client_sdk::{Reader, Stage};

/// All of them.
const ALL_BPS: u32 = 10_000;

/// A share of instances: `99%`, `0.5%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// Basis points.
    pub(crate) bps: u32,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let refuse = || format!("{typed:?} is no share: type a percentage above 0 and up to 100, such as 99% or 0.5%");
        let number = typed.strip_suffix('%').ok_or_else(refuse)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_plain = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if whole.is_empty() || whole.len() > 3 || part.len() > 2 || !is_plain(whole) || !is_plain(part) {
            return Err(refuse());
        }
        let hundredths = format!("{whole}{part:0<2}").parse().map_err(|_| refuse())?;
        if (1..=ALL_BPS).contains(&hundredths) { Ok(Self { bps: hundredths }) } else { Err(refuse()) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.bps / 100, self.bps % 100);
        match part {
            0 => write!(formatter, "{whole}%"),
            tens if tens % 10 == 0 => write!(formatter, "{whole}.{}%", tens / 10),
            part => write!(formatter, "{whole}.{part:02}%"),
        }
    }
}

/// A stage of a rollout: `zone=eu-1 5% 10m`, `label.ring=canary 100% 1h`, `25% 30m`, `100%`.
///
/// Without a time it waits for somebody to advance it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypedStage(pub(crate) Stage);

impl FromStr for TypedStage {
    type Err = String;

    fn from_str(typed: &str) -> Result<Self, String> {
        let (mut whom, mut share, mut hold) = (Whom::default(), None, None);
        for word in typed.split_whitespace() {
            if let Some((kind, value)) = word.split_once('=') {
                whom.add(kind, value)?;
            } else if word.ends_with('%') {
                let read = word.parse::<Share>()?;
                if share.replace(read).is_some() {
                    return Err(format!("{typed:?} names two shares"));
                }
            } else {
                let read = humantime::parse_duration(word).map_err(|_| unreadable(word))?;
                if hold.replace(read).is_some() {
                    return Err(format!("{typed:?} names two times"));
                }
            }
        }
        let share = share.ok_or_else(|| format!("{typed:?} names no share: type a percentage, such as 5%"))?;
        let stage = Stage::share_bps(share.bps).among(whom.reader());
        Ok(Self(match hold {
            Some(hold) => stage.hold(hold),
            None => stage,
        }))
    }
}

fn unreadable(word: &str) -> String {
    format!(
        "{word:?} is no part of a stage: type zone=Z, service=S or label.NAME=VALUE, a percentage, and how long it is \
         watched, such as 10m"
    )
}

/// Some instances, as they are named word by word.
#[derive(Debug, Default)]
struct Whom {
    service: String,
    zone: String,
    labels: Vec<(String, String)>,
}

impl Whom {
    fn add(&mut self, kind: &str, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err(format!("nothing stands behind `{kind}=`"));
        }
        match (kind, kind.strip_prefix("label.")) {
            ("zone", _) => self.zone = value.to_owned(),
            ("service", _) => self.service = value.to_owned(),
            (_, Some(name)) if !name.is_empty() => self.labels.push((name.to_owned(), value.to_owned())),
            _ => return Err(unreadable(&format!("{kind}={value}"))),
        }
        Ok(())
    }

    fn reader(self) -> Reader {
        let reader = Reader::service(self.service).zone(self.zone);
        self.labels.into_iter().fold(reader, |reader, (name, value)| reader.label(name, value))
    }
}

impl fmt::Display for TypedStage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(stage) = self;
        let selector = stage.selector.to_string();
        if !selector.is_empty() {
            write!(formatter, "{selector} ")?;
        }
        write!(formatter, "{}", Share { bps: stage.share_bps })?;
        stage.hold.map_or(Ok(()), |hold| write!(formatter, " {}", spelled(hold)))
    }
}

/// A time in one word, as it is typed.
fn spelled(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages() {
        let bps = |typed: &str| typed.parse::<Share>().map(|share| share.bps);
        for (typed, expected) in [("99%", 9_900), ("100%", 10_000), ("0.5%", 50), ("33.33%", 3_333), ("5.0%", 500)] {
            assert_eq!(bps(typed), Ok(expected), "{typed}");
        }
        for typed in ["", "%", "99", "0%", "0.001%", "101%", "-1%", "1e1%", "99,5%", ".5%", "5 %"] {
            assert!(bps(typed).is_err_and(|why| why.contains("is no share")), "{typed}");
        }
        let printed = |bps| Share { bps }.to_string();
        assert_eq!([printed(9_900), printed(50), printed(3_333), printed(1)], ["99%", "0.5%", "33.33%", "0.01%"]);
    }

    #[test]
    fn a_stage_is_whom_how_many_and_how_long() {
        for typed in ["100%", "zone=eu-1 5% 10m", "service=room label.ring=canary 50% 1h30m", "25% 30m"] {
            assert_eq!(typed.parse::<TypedStage>().map(|stage| stage.to_string()), Ok(typed.to_owned()));
        }
        let stage: TypedStage = "10m zone=eu-1 5%".parse().expect("in any order");
        assert_eq!((stage.0.share_bps, stage.0.hold), (500, Some(Duration::from_secs(600))));
        for (typed, why) in [
            ("", "names no share"),
            ("zone=eu-1", "names no share"),
            ("5% 6%", "names two shares"),
            ("5% 1m 2m", "names two times"),
            ("zone= 5%", "nothing stands behind `zone=`"),
            ("rack=7 5%", "\"rack=7\" is no part of a stage"),
            ("5% soon", "\"soon\" is no part of a stage"),
        ] {
            let refused = typed.parse::<TypedStage>().map(|stage| stage.to_string()).expect_err(typed);
            assert!(refused.contains(why), "{typed}: {refused}");
        }
    }
}
