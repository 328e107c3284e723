//! INI as a serde source: what a type asks for says how a value is read.
//!
//! A section is a table, and `[a.b]` is the table `b` in the table `a`; a list is written with commas. Only the first
//! dot of a section's name divides: the rest is a name of the application's.

use std::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::SyntaxError;
use super::typed::in_terms_of_keys;

/// A table or a value, and the line it begins on.
#[derive(Debug)]
pub(super) struct Node {
    line: usize,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Table(Vec<(String, Node)>),
}

/// What does not fit; the line is known where the node is.
#[derive(Debug)]
pub(super) struct Misfit {
    line: Option<usize>,
    message: String,
}

impl Node {
    /// A document without entries.
    pub(super) const fn root() -> Self {
        Self { line: 1, content: Content::Table(Vec::new()) }
    }

    /// Begins the table of a section.
    pub(super) fn section(&mut self, name: &str, line: usize) -> &mut Self {
        match name.split_once('.') {
            Some((outer, inner)) => self.table(outer, line).table(inner, line),
            None => self.table(name, line),
        }
    }

    /// Adds an entry to a table.
    pub(super) fn entry(&mut self, key: &str, text: &str, line: usize) {
        let node = Self { line, content: Content::Text(text.to_owned()) };
        if let Content::Table(entries) = &mut self.content {
            entries.push((key.to_owned(), node));
        }
    }

    fn table(&mut self, name: &str, line: usize) -> &mut Self {
        if let Content::Text(_) = self.content {
            self.content = Content::Table(Vec::new());
        }
        let Content::Table(entries) = &mut self.content else { unreachable!("it was made a table above") };
        let known = entries.iter().position(|(known, node)| known == name && matches!(node.content, Content::Table(_)));
        let at = known.unwrap_or_else(|| {
            entries.push((name.to_owned(), Self { line, content: Content::Table(Vec::new()) }));
            entries.len() - 1
        });
        &mut entries[at].1
    }
}

impl Misfit {
    pub(super) fn into_error(self) -> SyntaxError {
        SyntaxError::at(self.line.unwrap_or(1), 1, in_terms_of_keys(&self.message, None))
    }

    fn on(self, line: usize) -> Self {
        Self { line: self.line.or(Some(line)), ..self }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { line: None, message: message.to_string() }
    }
}

impl<'de> IntoDeserializer<'de, Misfit> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! by_parsing {
    ($($method:ident $visit:ident $type:ty, $what:literal;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            let Content::Text(text) = &self.content else { return self.deserialize_any(visitor) };
            let value: $type = text
                .parse()
                .map_err(|_| <Misfit as de::Error>::custom(format_args!("`{text}` is not {}", $what)))?;
            visitor.$visit(value)
        })+
    };
}

impl<'de> Deserializer<'de> for Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.content {
            Content::Text(text) => visitor.visit_string(text),
            Content::Table(entries) => visitor.visit_map(Table { rest: entries.into_iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Content::Text(text) = &self.content else { return self.deserialize_any(visitor) };
        let line = self.line;
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let nodes = items.map(|item| Self { line, content: Content::Text(item.to_owned()) });
        visitor.visit_seq(SeqDeserializer::new(nodes))
    }

    by_parsing! {
        deserialize_bool visit_bool bool, "`true` or `false`";
        deserialize_u8 visit_u64 u64, "a whole number";
        deserialize_u16 visit_u64 u64, "a whole number";
        deserialize_u32 visit_u64 u64, "a whole number";
        deserialize_u64 visit_u64 u64, "a whole number";
        deserialize_i8 visit_i64 i64, "a whole number";
        deserialize_i16 visit_i64 i64, "a whole number";
        deserialize_i32 visit_i64 i64, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_f32 visit_f64 f64, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Table {
    rest: std::vec::IntoIter<(String, Node)>,
    value: Option<Node>,
}

impl<'de> MapAccess<'de> for Table {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let line = value.line;
        self.value = Some(value);
        seed.deserialize(key.into_deserializer()).map(Some).map_err(|misfit: Misfit| misfit.on(line))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(value) = self.value.take() else { return Err(de::Error::custom("a value without its key")) };
        let line = value.line;
        seed.deserialize(value).map_err(|misfit| misfit.on(line))
    }
}
