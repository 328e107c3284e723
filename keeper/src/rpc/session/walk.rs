//! A walk over sessions, as its caller asked for it: whole or a part, all that match or what came since a revision.
//!
//! Its place travels with the client, in a token, so that any node goes on with it. The first page fixes the revision
//! up to which registrations belong to the walk; the token carries it, and what else must not change between two pages.
//! A token that is used with another selector, part or revision, or on another cluster, would silently leave sessions
//! out, so each is refused by name.

use bytes::Bytes;
use keeper_proto::v1 as wire;
use keeper_registry::{Part, Revision, ScanPosition, SessionFilter, SessionSelector, State, StateId, Walked, limits};
use prost::Message;
use xxhash_rust::xxh3::xxh3_64;

use super::page::Page;
use crate::problem::Problem;
use crate::rpc::from_proto::{self, invalid};
use crate::rpc::token::ScanToken;

/// Behind the selector of a walk over what subscribers see. No message begins with it.
const WALK_OF_SEEN: u8 = 0;

/// A walk, and where it stands.
#[derive(Debug)]
pub(super) struct Walk {
    filter: SessionFilter,
    /// Of the selector as it was given, and of what is walked over.
    fingerprint: u64,
    stand: Stand,
}

/// What a caller asks for. It is the same for all pages of a walk.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) selector: Option<wire::SessionSelector>,
    pub(super) part: Option<wire::Part>,
    pub(super) since_revision: u64,
    pub(super) walked: Walked,
}

#[derive(Debug)]
enum Stand {
    /// Before its first page.
    Start,
    /// After a page, in a history.
    After(StateId, ScanPosition),
    End,
}

/// What a walk met since it stood last.
#[derive(Debug)]
pub(super) enum Met {
    /// Copies of what matched.
    Sessions(Page),
    /// How many matched.
    Number(usize),
}

/// What to take along of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// Every session.
    Sessions,
    /// Their number.
    Number,
}

impl Walk {
    pub(super) fn parse(token: &Bytes, asked: Asked) -> Result<Self, Problem> {
        let Asked { selector, part, since_revision, walked } = asked;
        let mut whom = selector.clone().unwrap_or_default().encode_to_vec();
        if walked == Walked::Seen {
            whom.push(WALK_OF_SEEN);
        }
        let fingerprint = xxh3_64(&whom);
        let (selector, part) = (from_proto::selector(selector)?, parse_part(part.unwrap_or_default())?);
        let since = Revision(since_revision);
        let mut walk = Self {
            filter: SessionFilter { selector, since, until: None, part, walked },
            fingerprint,
            stand: Stand::Start,
        };
        if !token.is_empty() {
            let token = ScanToken::read(token)?;
            walk.check(&token)?;
            walk.filter.until = Some(token.until);
            walk.stand = Stand::After(token.state, token.position);
        }
        Ok(walk)
    }

    /// The token is of this walk.
    fn check(&self, token: &ScanToken) -> Result<(), Problem> {
        let SessionFilter { since, part, .. } = &self.filter;
        if token.part != *part {
            let (theirs, ours) = (token.part, part);
            let message = format!(
                "`part` is {} of {}, but `token` is of part {} of {}: every page of a walk names the same part",
                ours.index(),
                ours.of(),
                theirs.index(),
                theirs.of()
            );
            return Err(invalid("part", message));
        }
        if token.since != *since {
            let (theirs, ours) = (token.since.0, since.0);
            let message = format!(
                "`since_revision` is {ours}, but `token` is of a walk since {theirs}: every page of a walk names the same"
            );
            return Err(invalid("since_revision", message));
        }
        if token.selector != self.fingerprint {
            let message = "`selector` (or `lingering`) is not what the walk of `token` began with: give the same with every \
                           page, or begin again with an empty token";
            return Err(invalid("selector", message));
        }
        Ok(())
    }

    /// Reads on, at most `limit` sessions and a bounded number of rows. The state has everything that was there when
    /// the walk began.
    pub(super) fn read(&mut self, state: &State, limit: usize, take: Take) -> Result<Met, Problem> {
        let (history, revision) = (state.state_id().unwrap_or_default(), state.revision());
        let until = *self.filter.until.get_or_insert(revision);
        self.check_place(state, history, until.max(self.filter.since))?;
        let after = match &self.stand {
            Stand::Start => None,
            Stand::After(_, position) => Some(position),
            Stand::End => return Ok(Met::Number(0)),
        };
        let page = state.sessions_page(after, limit, &self.filter);
        let met = match take {
            Take::Number => Met::Number(page.sessions.len()),
            Take::Sessions => {
                let mut copied = Page::with_capacity(page.sessions.len());
                page.sessions.iter().for_each(|view| copied.push(view));
                Met::Sessions(copied)
            }
        };
        self.stand = page.next.map_or(Stand::End, |position| Stand::After(history, position));
        Ok(met)
    }

    fn check_place(&self, state: &State, history: StateId, known: Revision) -> Result<(), Problem> {
        let field = if matches!(self.stand, Stand::Start) { "since_revision" } else { "token" };
        if let Stand::After(of, _) = &self.stand
            && *of != history
        {
            let (of, present) = (of.0, history.0);
            let message = format!(
                "`token` is of the history {of:016x}, and this cluster's is {present:016x}: begin again with an empty one"
            );
            return Err(invalid(field, message));
        }
        if known > state.revision() {
            let (known, present) = (known.0, state.revision().0);
            let message = format!("`{field}` speaks of revision {known}, and the cluster has only reached {present}");
            return Err(invalid(field, message));
        }
        match (&self.stand, self.filter.walked, &self.filter.selector) {
            // One that closes while the walk goes on ends it; one that never was is a mistake.
            (Stand::Start, Walked::Live, SessionSelector { instance: Some((service, id)), .. })
                if state.instance_named(service, id).is_none() =>
            {
                Err(invalid("selector.instance", format!("no instance `{service}/{id}` is open")))
            }
            _ => Ok(()),
        }
    }

    /// The revision the walk began at; 0 before its first page.
    pub(super) fn until(&self) -> Revision {
        self.filter.until.unwrap_or_default()
    }

    pub(super) const fn is_at_end(&self) -> bool {
        matches!(self.stand, Stand::End)
    }

    /// What goes on with it; empty at its end.
    pub(super) fn token(&self) -> Bytes {
        let Stand::After(state, position) = &self.stand else { return Bytes::new() };
        let SessionFilter { since, part, .. } = self.filter;
        let token = ScanToken {
            state: *state,
            until: self.until(),
            since,
            part,
            selector: self.fingerprint,
            position: position.clone(),
        };
        token.write()
    }
}

fn parse_part(part: wire::Part) -> Result<Part, Problem> {
    let (index, of) = (part.index, part.of.max(1));
    Part::new(index, of).ok_or_else(|| match of {
        1..=limits::PARTS_MAX => invalid("part.index", format!("part {index} of {of}: the parts are 0 to {}", of - 1)),
        _ => invalid("part.of", format!("{of} parts; the limit is {}", limits::PARTS_MAX)),
    })
}
