//! Where in a value something stands.

use std::fmt;

use crate::format::Value;

/// A place in a value: the way to it from the outermost. Empty: the value itself.
///
/// It is written as people write it: `push.max_inflight`, `rooms[3].name`, and names that have other characters in
/// quotes: `topics."a.b"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(Vec<Step>);

/// One step of a way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Into an object.
    Name(String),
    /// Into an array.
    Place(usize),
}

impl Field {
    /// Further on, into an object.
    #[must_use]
    pub fn name(&self, name: &str) -> Self {
        self.step(Step::Name(name.to_owned()))
    }

    /// Further on, into an array.
    #[must_use]
    pub fn place(&self, place: usize) -> Self {
        self.step(Step::Place(place))
    }

    fn step(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// What it lies in, and the last step.
    pub(super) fn split_last(&self) -> Option<(Self, Step)> {
        let (last, before) = self.0.split_last()?;
        Some((Self(before.to_vec()), last.clone()))
    }

    /// The way.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether it lies in a list, somewhere on its way.
    #[must_use]
    pub fn is_in_list(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Place(_)))
    }

    /// Whether the other lies at this place or inside of it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The way from a place that this one lies in.
    #[must_use]
    pub fn inside(&self, outer: &Self) -> Option<Self> {
        self.0.strip_prefix(&outer.0[..]).map(|rest| Self(rest.to_vec()))
    }

    /// What stands there.
    #[must_use]
    pub fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| step.of(value))
    }

    /// The same, to be changed.
    pub fn of_mut<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(value, |value, step| match (step, value) {
            (Step::Name(name), Value::Object(entries)) => entries.get_mut(name),
            (Step::Place(place), Value::Array(items)) => items.get_mut(*place),
            _ => None,
        })
    }

    /// From a JSON Pointer (RFC 6901) into a value, which tells names from places.
    pub(super) fn of_pointer(pointer: &str, value: &serde_json::Value) -> Self {
        let mut inside = Some(value);
        let steps = pointer.split('/').skip(1).map(|token| {
            let name = token.replace("~1", "/").replace("~0", "~");
            let place = inside.filter(|value| value.is_array()).and_then(|_| name.parse().ok());
            inside = inside.and_then(|value| match place {
                Some(place) => value.get::<usize>(place),
                None => value.get(name.as_str()),
            });
            place.map_or(Step::Name(name), Step::Place)
        });
        Self(steps.collect())
    }

    /// Reads what [`Display`](fmt::Display) writes; none: it is not written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (place, after) = inside.split_once(']')?;
                steps.push(Step::Place(place.parse().ok()?));
                rest = after;
                continue;
            }
            if !steps.is_empty() {
                rest = rest.strip_prefix('.')?;
            }
            let end = if rest.starts_with('"') {
                let mut quoted = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                steps.push(Step::Name(quoted.next()?.ok()?));
                quoted.byte_offset()
            } else {
                let end = rest.find(|symbol| !is_plain(symbol)).unwrap_or(rest.len());
                steps.push(Step::Name(rest.get(..end).filter(|name| !name.is_empty())?.to_owned()));
                end
            };
            rest = &rest[end..];
        }
        (!steps.is_empty()).then_some(Self(steps))
    }
}

fn is_plain(symbol: char) -> bool {
    symbol.is_ascii_alphanumeric() || matches!(symbol, '_' | '-')
}

impl Step {
    /// What stands there.
    pub(super) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        match (self, value) {
            (Self::Name(name), Value::Object(entries)) => entries.get(name),
            (Self::Place(place), Value::Array(items)) => items.get(*place),
            _ => None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the document");
        }
        self.0.iter().enumerate().try_for_each(|(at, step)| {
            let dot = if at == 0 { "" } else { "." };
            match step {
                Step::Place(place) => write!(f, "[{place}]"),
                Step::Name(name) if !name.is_empty() && name.chars().all(is_plain) => write!(f, "{dot}{name}"),
                Step::Name(name) => write!(f, "{dot}{}", serde_json::Value::from(name.as_str())),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_written_as_it_is_read() {
        let field = Field::default().name("topics").name("a.b").place(3).name("").name("grace_ms").place(0).place(1);
        assert_eq!(field.to_string(), "topics.\"a.b\"[3].\"\".grace_ms[0][1]");
        assert_eq!(Field::parse(&field.to_string()), Some(field));
        assert_eq!(Field::default().to_string(), "the document");
        for wrong in ["", "a..b", ".a", "a.", "a[", "a[x]", "a b", "a\"b\"", "\"a", "a[1]b"] {
            assert_eq!(Field::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_pointer_tells_names_from_places() {
        let value = serde_json::json!({"1": [{"a/b": {"~": 0}}]});
        assert_eq!(Field::of_pointer("/1/0/a~1b/~0", &value).to_string(), "1[0].\"a/b\".\"~\"");
        assert_eq!(Field::of_pointer("", &value), Field::default());
    }
}
