//! The walks that make up a scan, one a part.

use std::time::Duration;

use futures_util::{Stream, stream};
use keeper_client_sdk::{self as sdk, Error, Part, Scan, Session};

use crate::{
    args::{PartStanding, ScanSessions, Standing},
    failure::Failure,
};

/// A page of one part.
pub(super) struct Page {
    pub(super) part: usize,
    pub(super) sessions: Vec<Session>,
    pub(super) at_revision: u64,
    /// Where the part goes on; none at its end.
    pub(super) next: Option<Vec<u8>>,
}

/// What to ask for each part that is not walked yet, and which part that is.
///
/// A walk tries for ever, which is right once it has begun and would be silence before: hence the patience.
pub(super) fn walks(
    scan: &ScanSessions,
    standing: &Standing,
    patience: Duration,
) -> Result<Vec<(usize, sdk::ScanSessions)>, Failure> {
    let of = standing.0.len();
    if scan.since.len() > 1 && scan.since.len() != of {
        let given = scan.since.len();
        return Err(Failure::failed(format!(
            "--since names {given} revisions for {of} parts: name one, or one for each"
        )));
    }
    let open: Vec<_> =
        standing.0.iter().enumerate().filter(|(_, part)| !matches!(part, PartStanding::Done(_))).collect();
    let walk = |(place, (index, standing)): (usize, &(usize, &PartStanding))| {
        let walk = sdk::ScanSessions {
            token: if let PartStanding::At(token) = standing { token.clone().into() } else { Vec::new().into() },
            selector: scan.select.selector(),
            part: Part::new(whole(*index), whole(of))?,
            since_revision: scan.since.get(*index).or_else(|| scan.since.first()).copied().unwrap_or(0),
            rate: scan.rate.map_or(Ok(0), |rate| share(rate, place, open.len()))?,
            patience: Some(patience),
        };
        Ok((*index, walk))
    };
    open.iter().enumerate().map(walk).collect()
}

/// The rate is for all parts together; each is kept by the server that walks it.
fn share(rate: u32, place: usize, of: usize) -> Result<u32, Failure> {
    let (place, of) = (whole(place), whole(of));
    if rate < of {
        return Err(Failure::failed(format!("--rate {rate} is less than one session a second for each of {of} parts")));
    }
    Ok(rate / of + u32::from(place < rate % of))
}

/// Parts are few: see `limits::SCAN_PARTS_MAX`.
fn whole(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The pages of one part, up to its end or an error.
pub(super) fn pages(part: usize, scan: Scan) -> impl Stream<Item = Result<Page, Error>> {
    stream::unfold(Some(scan), move |scan| async move {
        let mut scan = scan?;
        match scan.page().await? {
            Ok(sessions) => {
                let next = scan.token().map(|token| token.to_vec());
                let at_revision = scan.at_revision().unwrap_or_default();
                let rest = next.is_some().then_some(scan);
                Some((Ok(Page { part, sessions, at_revision, next }), rest))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Noun, SessionVerb, Typed};

    fn walked(line: &str) -> Result<Vec<(usize, sdk::ScanSessions)>, String> {
        let line = format!("keeperctl session scan {line}");
        let typed = Typed::try_parse_from(line.split_whitespace()).map_err(|error| error.to_string())?;
        let Noun::Session { verb: SessionVerb::Scan(scan) } = typed.noun else { panic!("not `session scan`") };
        let standing = scan.resume.clone().unwrap_or_else(|| Standing(vec![PartStanding::New; scan.parts as usize]));
        walks(&scan, &standing, Duration::from_secs(10)).map_err(|failure| failure.message)
    }

    #[test]
    fn parts_share_the_rate() {
        let rates = |line| walked(line).map(|walks| walks.iter().map(|(_, walk)| walk.rate).collect::<Vec<_>>());
        assert_eq!(rates("--parts 3 --rate 100"), Ok(vec![34, 33, 33]));
        assert_eq!(rates("--parts 2"), Ok(vec![0, 0]));
        assert_eq!(rates("--rate 100 --resume 0x01,done@4,0x02"), Ok(vec![50, 50]), "those that are left share it");
        let refused = rates("--parts 8 --rate 5");
        assert_eq!(refused, Err("--rate 5 is less than one session a second for each of 8 parts".into()));
    }

    #[test]
    fn every_part_has_its_own_tail() {
        let since = |line| walked(line).map(|walks| walks.iter().map(|(_, it)| it.since_revision).collect::<Vec<_>>());
        assert_eq!(since("--parts 2 --since 41"), Ok(vec![41, 41]));
        assert_eq!(since("--parts 2 --since 41,43"), Ok(vec![41, 43]));
        assert_eq!(since("--since 41,43 --resume done@9,0x01"), Ok(vec![43]));
        let refused = since("--parts 3 --since 41,43");
        assert_eq!(refused, Err("--since names 2 revisions for 3 parts: name one, or one for each".into()));
    }

    #[test]
    fn what_is_done_is_not_walked_again() {
        let walks = walked("--resume new,done@41,0xab").expect("a token");
        let parts: Vec<_> = walks.iter().map(|(at, walk)| (*at, walk.part.index(), walk.token.to_vec())).collect();
        assert_eq!(parts, [(0, 0, vec![]), (2, 2, vec![0xab])]);
        assert_eq!(walked("--resume done@41").map(|walks| walks.len()), Ok(0));
    }
}
