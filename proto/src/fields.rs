//! Reads the fields of a protobuf message where they lie.
//!
//! Generated code builds a message before anybody looks at it. For a question or an answer about a thousand sessions
//! that is what a processor would do most, so the hot messages are read from their bytes, in half the time. What is
//! called for each field is always inlined: it is a quarter of that.

/// The fields of a message, in the order they come.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// A field's number and value.
pub type Field<'a> = (u32, Value<'a>);

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A varint.
    Number(u64),
    /// Of 4 or 8 bytes.
    Fixed(u64),
    /// A string, bytes, or a message.
    Bytes(&'a [u8]),
}

/// A field that cannot be read; nothing behind it can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a field that cannot be read")]
pub struct Unreadable;

impl<'a> Fields<'a> {
    /// Of an encoded message.
    #[must_use]
    #[inline]
    pub const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// How many bytes are still to be read.
    #[must_use]
    #[inline]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    fn field(&mut self) -> Option<Field<'a>> {
        // Generated code reads neither of these: a key above 32 bits, a field number of zero.
        let key = self.number().filter(|key| (8..=u64::from(u32::MAX)).contains(key))?;
        let value = match key & 7 {
            0 => Value::Number(self.number()?),
            1 => Value::Fixed(self.fixed::<8>().map(u64::from_le_bytes)?),
            2 => {
                let length = usize::try_from(self.number()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed(self.fixed::<4>().map(|it| u64::from(u32::from_le_bytes(it)))?),
            _ => return None,
        };
        Some((u32::try_from(key >> 3).ok()?, value))
    }

    /// Most are below 128.
    #[inline(always)]
    fn number(&mut self) -> Option<u64> {
        match self.rest {
            [byte, rest @ ..] if byte & 0x80 == 0 => {
                self.rest = rest;
                Some(u64::from(*byte))
            }
            _ => self.long_number(),
        }
    }

    /// Seven bits a byte, the lowest first.
    fn long_number(&mut self) -> Option<u64> {
        let mut number = 0;
        for (place, byte) in self.rest.iter().take(10).enumerate() {
            // The tenth byte holds the last bit of 64.
            if place == 9 && *byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[place + 1..];
                return Some(number);
            }
        }
        None
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Unreadable>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            // Nothing behind it can be understood.
            self.rest = &[];
        }
        Some(field.ok_or(Unreadable))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::v1::{Epoch, LookupRequest};

    #[test]
    fn fields_come_as_they_were_written() {
        let message =
            LookupRequest { sequence: 300, at_least: u64::MAX, users: vec!["ann".into()], ..LookupRequest::default() };
        let bytes = message.encode_to_vec();
        let fields: Vec<_> = Fields::of(&bytes).collect::<Result<_, _>>().expect("it is a message");
        assert_eq!(fields, [(1, Value::Number(300)), (3, Value::Number(u64::MAX)), (5, Value::Bytes(b"ann"))]);
    }

    #[test]
    fn what_generated_code_refuses_is_refused() {
        for bytes in [
            &b"\x00\x01"[..],
            b"\x0a\x82\x80\x80\x80\x80\x80\x80\x80\x80\x02u1",
            b"\x80\x80\x80\x80\x20\x01",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        ] {
            assert!(Epoch::decode(bytes).is_err(), "{bytes:?}");
            assert!(Fields::of(bytes).any(|field| field.is_err()), "{bytes:?}");
        }
    }

    proptest! {
        /// Whatever comes from the network ends, and what is a message for others is one here.
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let read = Fields::of(&bytes).collect::<Result<Vec<_>, _>>();
            if Epoch::decode(&bytes[..]).is_ok() && !bytes.iter().any(|it| matches!(it & 7, 3 | 4)) {
                prop_assert!(read.is_ok());
            }
        }
    }
}
