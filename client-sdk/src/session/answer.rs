//! Answers to lookups, read in two steps: the worker finds out which bytes belong to which question, and whoever asked
//! reads them.

use std::{ops::Range, time::Duration};

use bytes::{Buf, Bytes};
use keeper_proto::{
    fields::{Fields, Value},
    v1,
};
use prost::Message;
use tonic::{Status, codec::DecodeBuf};

use crate::{
    Error, Formerly, Found, Looked, Rebuilding, Session,
    connection::Incoming,
    session::{ask::Shape, from_proto, lot::Lot},
};

/// A frame of answers.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) sequence: u64,
    pub(crate) problem: Option<v1::Problem>,
    context: Context,
    lot: Lot,
    /// Where the results lie.
    keys: Vec<Range<usize>>,
    users: Vec<Range<usize>>,
}

/// What holds for all results of a frame.
#[derive(Debug, Clone, Copy)]
struct Context {
    revision: u64,
    age: Duration,
    state_id: u64,
    rebuilding: Option<Rebuilding>,
}

/// The answer to one question.
#[derive(Debug)]
pub(crate) struct Answer {
    context: Context,
    /// Just its own results.
    lot: Lot,
}

/// Hands the results of a frame out, in the order they were asked for.
#[derive(Debug)]
pub(crate) struct Results {
    frame: Frame,
    keys: usize,
    users: usize,
}

impl Frame {
    /// Finds the parts of `keeper.v1.LookupReply`.
    pub(super) fn read(bytes: Bytes) -> Result<Self, Error> {
        let mut head = v1::LookupReply::default();
        let (mut keys, mut users) = (Vec::new(), Vec::new());
        let mut fields = Fields::of(&bytes);
        let mut start = 0;
        while let Some(field) = fields.next() {
            let end = bytes.len() - fields.left();
            match field? {
                (1, Value::Number(it)) => head.sequence = it,
                (2, Value::Number(it)) => head.revision = it,
                (3, Value::Number(it)) => head.age_ms = u32::try_from(it).unwrap_or(u32::MAX),
                (4, Value::Fixed(it)) => head.state_id = it,
                (5, Value::Bytes(it)) => head.owners.push(message(it)?),
                (6, Value::Bytes(_)) => keys.push(start..end),
                (7, Value::Bytes(_)) => users.push(start..end),
                (8, Value::Bytes(it)) => head.problem = Some(message(it)?),
                (9, Value::Bytes(it)) => head.rebuilding = Some(message(it)?),
                _ => {}
            }
            start = end;
        }
        let context = Context {
            revision: head.revision,
            age: Duration::from_millis(u64::from(head.age_ms)),
            state_id: head.state_id,
            rebuilding: head.rebuilding.map(Rebuilding::from_proto),
        };
        let lot = Lot { bytes, owners: from_proto::owners(head.owners).into() };
        Ok(Self { sequence: head.sequence, problem: head.problem, context, lot, keys, users })
    }

    pub(crate) const fn results(self) -> Results {
        Results { frame: self, keys: 0, users: 0 }
    }
}

impl Incoming for Frame {
    fn read(buffer: &mut DecodeBuf<'_>) -> Result<Self, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        Self::read(bytes).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Results {
    /// Those of the next question.
    pub(crate) fn take(&mut self, shape: Shape) -> Result<Answer, Error> {
        let places = self.skip(shape);
        let ranges = match shape {
            Shape::Keys(_) => self.frame.keys.get(places),
            Shape::User => self.frame.users.get(places),
        };
        let ranges = ranges.ok_or_else(|| Error::malformed("an answer with fewer results than questions"))?;
        let Lot { bytes, owners } = &self.frame.lot;
        let bytes = match ranges {
            [] => Bytes::new(),
            // In memory of its own: what is found keeps only its neighbours alive, and shares no counter with results
            // that other threads read.
            [first, ..] => {
                let end = ranges.last().map_or(first.end, |last| last.end);
                Bytes::copy_from_slice(&bytes[first.start..end])
            }
        };
        Ok(Answer { context: self.frame.context, lot: Lot { bytes, owners: owners.clone() } })
    }

    /// Passes over those of the next question; tells which they were.
    pub(crate) fn skip(&mut self, shape: Shape) -> Range<usize> {
        let taken = match shape {
            Shape::Keys(_) => &mut self.keys,
            Shape::User => &mut self.users,
        };
        let places = *taken..*taken + shape.len();
        *taken = places.end;
        places
    }
}

impl Answer {
    pub(crate) const fn revision(&self) -> u64 {
        self.context.revision
    }

    /// Of a question about one key.
    pub(crate) fn key(self) -> Result<Looked<Found>, Error> {
        let (mut found, mut formerly) = (None, Vec::new());
        for field in Fields::of(&self.lot.bytes) {
            let (6, Value::Bytes(result)) = field? else { continue };
            found = self.found(result, &mut formerly)?;
        }
        Ok(self.looked(found, formerly))
    }

    /// Of a question about so many keys.
    pub(crate) fn keys(self, count: usize) -> Result<Looked<Vec<Found>>, Error> {
        let (mut found, mut formerly) = (Vec::with_capacity(count), Vec::new());
        for field in Fields::of(&self.lot.bytes) {
            let (6, Value::Bytes(result)) = field? else { continue };
            found.push(self.found(result, &mut formerly)?);
        }
        Ok(self.looked(found, formerly))
    }

    /// Of a question about a user.
    pub(crate) fn user(self) -> Result<Looked<Vec<Session>>, Error> {
        let (mut sessions, mut formerly) = (Vec::new(), Vec::new());
        for field in Fields::of(&self.lot.bytes) {
            let (7, Value::Bytes(result)) = field? else { continue };
            for field in Fields::of(result) {
                match field? {
                    (1, Value::Bytes(it)) => sessions.push(self.lot.session(it)?),
                    (2, Value::Bytes(it)) => formerly.push(self.lot.formerly(it)?),
                    _ => {}
                }
            }
        }
        Ok(self.looked(sessions, formerly))
    }

    fn looked<T>(self, found: T, formerly: Vec<Formerly>) -> Looked<T> {
        let Context { revision, age, state_id, rebuilding } = self.context;
        Looked { found, revision, age, state_id, formerly, rebuilding }
    }

    fn found(&self, result: &[u8], formerly: &mut Vec<Formerly>) -> Result<Found, Error> {
        let mut session = None;
        for field in Fields::of(result) {
            match field? {
                (1, Value::Bytes(it)) => session = Some(it),
                (2, Value::Bytes(it)) => formerly.push(self.lot.formerly(it)?),
                _ => {}
            }
        }
        session.map(|it| self.lot.session(it)).transpose()
    }
}

/// A part that is not worth reading by hand.
fn message<M: Message + Default>(bytes: &[u8]) -> Result<M, Error> {
    M::decode(bytes).map_err(|error| Error::malformed(error.to_string()))
}

#[cfg(test)]
mod tests;
