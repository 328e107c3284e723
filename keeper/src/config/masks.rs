//! Which published secret a mask stands for.
//!
//! Who edits what he was shown gives masks back, and each is to stay the secret that it was. In an object its name says
//! which. In a list nothing does but what stands around it, for entries are added, removed and moved. **A mask is taken
//! only where it is certain whose it is**; nobody may come by the secret of a neighbour. Certain are two cases:
//!
//! - *The list stands as it stood*: as many entries, and each is what it was at its place but for its secrets, or can
//!   be recognized there. An entry is recognized by a text of its own (`name = "b"`) that none beside it has or had,
//!   and that stands where it stood; one that has come by another's text is not. The only entry of a list is recognized
//!   by anything that it still says.
//! - *The entry stands elsewhere, and is the only one of its kind*: but for its secrets it is equal to exactly one
//!   former entry, and to no other masked one that is given. The secret moves with it.
//!
//! So of a list of bare secrets the places count while it has as many, and no longer. Everything else is refused: the
//! secret itself is to be written. What cannot be told apart from an edit is one: an entry that takes over the text of
//! a former one, at its place, is that one.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::Field;
use super::limits::SECRETS_MAX;
use super::secret::{MASK, is_box};
use crate::format::Value;

/// A masked field, and the sealed one it stands for: at the same place, or where its entry stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    /// Where the mask stands.
    pub at: Field,
    /// Where the secret is published.
    pub from: Field,
}

/// Why a mask stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unplaced {
    /// There is no secret.
    #[error("{0} stands masked, and nothing is sealed there that could stay")]
    Nothing(Field),
    /// There are several.
    #[error("{0} stands masked, and its list has changed, so that it is not certain which secret it was")]
    Uncertain(Field),
}

/// What every mask in a value stands for. `former` is what is published, with its boxes.
///
/// # Errors
/// [`Unplaced`]: one of them stands for nothing.
pub fn masks(former: &Value, given: &Value) -> Result<Vec<Stays>, Unplaced> {
    let mut stays = Vec::new();
    meet(former, &Field::default(), given, &Field::default(), &mut stays)?;
    Ok(stays)
}

fn meet(former: &Value, from: &Field, given: &Value, at: &Field, stays: &mut Vec<Stays>) -> Result<(), Unplaced> {
    let Some(masked) = masked(given, at) else { return Ok(()) };
    match (former, given) {
        (former, Value::String(_)) if is_box(former) => {
            stays.push(Stays { at: at.clone(), from: from.clone() });
            Ok(())
        }
        (Value::Object(former), Value::Object(given)) => given.iter().try_for_each(|(name, given)| {
            let former = former.get(name).unwrap_or(&Value::Null);
            meet(former, &from.name(name), given, &at.name(name), stays)
        }),
        (Value::Array(former), Value::Array(given)) => {
            let places = if stands(former, given) { None } else { Some(moved(former, given, at)?) };
            given.iter().enumerate().try_for_each(|(place, given)| {
                let origin = places.as_ref().map_or(Some(place), |places| places.get(&place).copied());
                // Where there is no mask there is no origin, and none is needed.
                let Some((origin, former)) = origin.and_then(|origin| Some((origin, former.get(origin)?))) else {
                    return Ok(());
                };
                meet(former, &from.place(origin), given, &at.place(place), stays)
            })
        }
        _ => Err(Unplaced::Nothing(masked)),
    }
}

/// The first field that stands masked.
fn masked(value: &Value, at: &Field) -> Option<Field> {
    match value {
        Value::Object(entries) => entries.iter().find_map(|(name, value)| masked(value, &at.name(name))),
        Value::Array(items) => items.iter().enumerate().find_map(|(place, item)| masked(item, &at.place(place))),
        Value::String(text) if text == MASK => Some(at.clone()),
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) => None,
    }
}

/// Whether a value is what it was, but for its secrets.
fn is_same(former: &Value, given: &Value) -> bool {
    match (former, given) {
        (former, given) if is_box(former) => {
            matches!(given, Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::String(_))
        }
        (Value::Array(former), Value::Array(given)) => {
            former.len() == given.len() && former.iter().zip(given).all(|(former, given)| is_same(former, given))
        }
        (Value::Object(former), Value::Object(given)) => {
            let is_same = |(name, former)| given.get(name).is_some_and(|given| is_same(former, given));
            former.len() == given.len() && former.iter().all(is_same)
        }
        (former, given) => former == given,
    }
}

/// Whether every entry stands where it stood.
fn stands(former: &[Value], given: &[Value]) -> bool {
    if former.len() != given.len() {
        return false;
    }
    let mut changed = former.iter().zip(given).enumerate().filter(|(_, (former, given))| !is_same(former, given));
    let Some(first) = changed.next() else { return true };
    if let ([former], [given]) = (former, given) {
        return says_something_still(former, given);
    }
    let (formerly, now) = (Texts::of(former), Texts::of(given));
    std::iter::once(first).chain(changed).all(|(place, (_, given))| is_recognized(place, given, &formerly, &now))
}

fn says_something_still(former: &Value, given: &Value) -> bool {
    let (Value::Object(former), Value::Object(given)) = (former, given) else { return false };
    given.iter().any(|(name, value)| masked(value, &Field::default()).is_none() && former.get(name) == Some(value))
}

/// Whether an entry has a text of its own at its place, and none of another's.
fn is_recognized(place: usize, given: &Value, formerly: &Texts<'_>, now: &Texts<'_>) -> bool {
    let Value::Object(entries) = given else { return false };
    let mut is_recognized = false;
    for (name, value) in entries {
        let Value::String(text) = value else { continue };
        match formerly.owner(name, text) {
            Some(owner) if owner != place => return false,
            Some(_) => is_recognized |= now.owner(name, text).is_some(),
            None => {}
        }
    }
    is_recognized
}

/// Where entries with masks stood, each being the only one that is equal to it.
fn moved(former: &[Value], given: &[Value], at: &Field) -> Result<BTreeMap<usize, usize>, Unplaced> {
    let places = given.iter().enumerate();
    let masks: Vec<_> =
        places.filter_map(|(place, entry)| Some((place, entry, masked(entry, &at.place(place))?))).collect();
    if let Some((_, _, masked)) = masks.get(SECRETS_MAX) {
        return Err(Unplaced::Nothing(masked.clone()));
    }
    let origin = |(place, entry, masked): &(usize, &Value, Field)| {
        let mut equal = former.iter().enumerate().filter(|(_, former)| is_same(former, entry));
        let uncertain = || Unplaced::Uncertain(masked.clone());
        let (origin, former) = equal.next().filter(|_| equal.next().is_none()).ok_or_else(uncertain)?;
        let is_claimed = masks.iter().any(|(other, entry, _)| other != place && is_same(former, entry));
        if is_claimed { Err(uncertain()) } else { Ok((*place, origin)) }
    };
    masks.iter().map(origin).collect()
}

/// Which entry of a list has a text that no other has in a field of that name.
struct Texts<'a>(BTreeMap<(&'a str, &'a str), Option<usize>>);

impl<'a> Texts<'a> {
    fn of(entries: &'a [Value]) -> Self {
        let mut owners = BTreeMap::new();
        for (place, entry) in entries.iter().enumerate() {
            let Value::Object(fields) = entry else { continue };
            for (name, value) in fields {
                let Value::String(text) = value else { continue };
                if text != MASK && !is_box(value) {
                    owners.entry((&**name, &**text)).and_modify(|owner| *owner = None).or_insert(Some(place));
                }
            }
        }
        Self(owners)
    }

    fn owner(&self, name: &str, text: &str) -> Option<usize> {
        self.0.get(&(name, text)).copied().flatten()
    }
}
