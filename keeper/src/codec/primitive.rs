//! The primitives everything else is written with: bincode 2's variable-length integers, and byte strings that are read
//! without copying.
//!
//! Values are written field by field, in an order that the encoding's version fixes; there is no reflection and no
//! derive. A reader bounds every length by the bytes that remain, so that damaged or hostile input costs no memory.

use std::ops::Range;

use bincode::config::{Configuration, standard};
use bytes::Bytes;

const BINCODE: Configuration = standard();

/// Bytes that do not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ends inside a value, or a length points past its end.
    #[error("the encoding ends too early at byte {at}")]
    Truncated {
        /// Offset of the value.
        at: usize,
    },
    /// A value outside its range.
    #[error("{what} is out of range at byte {at}")]
    OutOfRange {
        /// Which value.
        what: &'static str,
        /// Offset behind the value.
        at: usize,
    },
    /// Written by a version this binary cannot read.
    #[error("{what} has encoding version {found}; this binary reads 1 to {newest}: run a newer keeper")]
    Version {
        /// What was read.
        what: &'static str,
        /// Its version byte.
        found: u8,
        /// The newest this binary reads.
        newest: u8,
    },
    /// Bytes remain behind the last value.
    #[error("{remaining} bytes remain behind the end of the encoding")]
    Trailing {
        /// How many.
        remaining: usize,
    },
}

/// Writes values.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
}

impl Output {
    /// Begins a value of an encoding version.
    #[must_use]
    pub fn versioned(version: u8, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity + 1);
        bytes.push(version);
        Self { bytes }
    }

    /// Begins a value that is part of a versioned one.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// One byte, as it is.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// An integer, 1 to 9 bytes.
    pub fn u64(&mut self, value: u64) {
        // Small values are most of what is written; bincode writes those below 251 as they are.
        match u8::try_from(value) {
            Ok(small) if small < 251 => self.bytes.push(small),
            _ => {
                let written = bincode::encode_into_std_write(value, &mut self.bytes, BINCODE);
                debug_assert!(written.is_ok(), "writing to a vector does not fail");
            }
        }
    }

    /// An integer, 1 to 5 bytes.
    pub fn u32(&mut self, value: u32) {
        self.u64(u64::from(value));
    }

    /// A truth value, one byte.
    pub fn flag(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// A length, 1 to 9 bytes.
    pub fn len(&mut self, value: usize) {
        self.u64(value as u64);
    }

    /// A byte string with its length in front.
    pub fn bytes(&mut self, value: &[u8]) {
        self.len(value.len());
        self.bytes.extend_from_slice(value);
    }

    /// A string with its length in front.
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// A byte string without a length: it is the last value, or of fixed size.
    pub fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// Whether a value follows, then the value.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// How many values follow, then each.
    pub fn list<T>(&mut self, values: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.len(values.len());
        for value in values {
            write(self, value);
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.bytes.len()
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }
}

/// Reads values, in the order they were written. Byte strings share the input's memory.
#[derive(Debug)]
pub struct Input {
    bytes: Bytes,
    at: usize,
}

impl Input {
    /// Begins to read a value that is part of a versioned one.
    #[must_use]
    pub const fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    /// Begins to read a versioned value, and gives its version.
    ///
    /// # Errors
    /// The version is 0 or above `newest`, or there is none.
    pub fn versioned(what: &'static str, newest: u8, bytes: Bytes) -> Result<(u8, Self), DecodeError> {
        let mut input = Self::new(bytes);
        let found = input.u8()?;
        if found == 0 || found > newest {
            return Err(DecodeError::Version { what, found, newest });
        }
        Ok((found, input))
    }

    /// One byte.
    ///
    /// # Errors
    /// The input has ended.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        let byte = self.bytes.get(self.at).copied().ok_or(DecodeError::Truncated { at: self.at })?;
        self.at += 1;
        Ok(byte)
    }

    /// An integer.
    ///
    /// # Errors
    /// The input has ended, or holds something else.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        let rest = &self.bytes[self.at..];
        // As when writing; and what bincode writes for 16 and 32 bits is most of the rest.
        let (value, length) = match *rest {
            [small, ..] if small < 251 => (u64::from(small), 1),
            [251, a, b, ..] => (u64::from(u16::from_le_bytes([a, b])), 3),
            [252, a, b, c, d, ..] => (u64::from(u32::from_le_bytes([a, b, c, d])), 5),
            _ => bincode::decode_from_slice(rest, BINCODE).map_err(|_| DecodeError::Truncated { at: self.at })?,
        };
        self.at += length;
        Ok(value)
    }

    /// An integer of 32 bits.
    ///
    /// # Errors
    /// The input has ended, or the value is larger.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        let value = self.u64()?;
        u32::try_from(value).map_err(|_| DecodeError::OutOfRange { what: "a 32-bit integer", at: self.at })
    }

    /// A truth value.
    ///
    /// # Errors
    /// The input has ended, or the value is neither 0 nor 1.
    pub fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::OutOfRange { what: "a flag", at: self.at }),
        }
    }

    /// A length, which the input must be able to hold.
    ///
    /// # Errors
    /// The input has ended, or is shorter than the length.
    pub fn len(&mut self) -> Result<usize, DecodeError> {
        let at = self.at;
        let length = usize::try_from(self.u64()?).map_err(|_| DecodeError::Truncated { at })?;
        if length > self.bytes.len() - self.at {
            return Err(DecodeError::Truncated { at });
        }
        Ok(length)
    }

    /// A byte string.
    ///
    /// # Errors
    /// The input ends inside it.
    pub fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        let length = self.len()?;
        self.raw(length)
    }

    /// Where a byte string lies, for what is looked at and not kept; see [`Self::within`].
    ///
    /// # Errors
    /// The input ends inside it.
    pub fn span(&mut self) -> Result<Range<usize>, DecodeError> {
        let length = self.len()?;
        let start = self.at;
        self.at += length;
        Ok(start..self.at)
    }

    /// The bytes of a span of this input.
    #[must_use]
    pub fn within(&self, span: Range<usize>) -> &[u8] {
        &self.bytes[span]
    }

    /// A byte string with memory of its own, for what outlives the input by long.
    ///
    /// # Errors
    /// The input ends inside it.
    pub fn owned(&mut self) -> Result<Bytes, DecodeError> {
        Ok(Bytes::copy_from_slice(&self.bytes()?))
    }

    /// A byte string of known length.
    ///
    /// # Errors
    /// The input ends inside it.
    pub fn raw(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.bytes.len() - self.at {
            return Err(DecodeError::Truncated { at: self.at });
        }
        let value = self.bytes.slice(self.at..self.at + length);
        self.at += length;
        Ok(value)
    }

    /// A string.
    ///
    /// # Errors
    /// The input ends inside it, or it is not UTF-8.
    pub fn str(&mut self) -> Result<String, DecodeError> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.into()).map_err(|_| DecodeError::OutOfRange { what: "a string", at: self.at })
    }

    /// A value that may be absent.
    ///
    /// # Errors
    /// As `read`.
    pub fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A list.
    ///
    /// # Errors
    /// As `read`, or the list claims more values than the input has bytes.
    pub fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let length = self.len()?;
        let mut values = Vec::with_capacity(length.min(1_024));
        for _ in 0..length {
            values.push(read(self)?);
        }
        Ok(values)
    }

    /// Everything that remains.
    #[must_use]
    pub fn rest(self) -> Bytes {
        self.bytes.slice(self.at..)
    }

    /// Offset of the next value.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Bytes remain.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            remaining => Err(DecodeError::Trailing { remaining }),
        }
    }
}
