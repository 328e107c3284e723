//! Which published secret a mask stands for.
//!
//! Who edits what he was shown gives masks back, and each is to stay the secret that it was. In an object its name says
//! which. In a list nothing does but what stands around it, for entries are added, removed and moved. **A mask is taken
//! only where it is certain whose it is**; nobody may come by the secret of a neighbour. Certain are two cases:
//!
//! - *The list stands as it stood*: as many entries, and each is what it was at its place but for its secrets, or can
//!   be recognized there. An entry is recognized by a text of its own (`name = "b"`), however deep within it, that none
//!   beside it has or had, and that stands where it stood; one that has come by a text or a number of another is not.
//!   The only entry of a list is recognized by anything that it still says. Entries that nothing tells apart, bare
//!   secrets among them, stand as they stood while none of them is given a secret anew.
//! - *The entry stands elsewhere, and is the only one of its kind*: but for its secrets it is equal to exactly one
//!   former entry, and to no other masked one that is given. The secret moves with it.
//!
//! Everything else is refused: the secret itself is to be written. What cannot be told apart from an edit is one: an
//! entry that takes over the text of a former one, at its place, is that one.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Field;
use super::limits::SECRETS_MAX;
use super::secret::{MASK, is_box};
use crate::format::{Value, canonical};

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
    if former.len() != given.len() || takes_turns(former, given) {
        return false;
    }
    let mut changed = former.iter().zip(given).enumerate().filter(|(_, (former, given))| !is_same(former, given));
    let Some(first) = changed.next() else { return true };
    if let ([former], [given]) = (former, given) {
        return says_something_still(former, given);
    }
    let (formerly, now) = (Owners::of(former), Owners::of(given));
    std::iter::once(first).chain(changed).all(|(place, (_, given))| is_recognized(place, given, &formerly, &now))
}

/// Whether an entry has a secret anew, and a mask beside it might as well have been its own: the old one may have been
/// removed, and the new one added behind.
fn takes_turns(former: &[Value], given: &[Value]) -> bool {
    let renewed = former.iter().zip(given).enumerate().filter(|(_, (former, given))| renews(former, given));
    renewed.map(|(place, (former, _))| (place, former)).any(|(place, former)| {
        let mut others = given.iter().enumerate().filter(|(other, _)| *other != place);
        others.any(|(_, entry)| is_same(former, entry) && masked(entry, &Field::default()).is_some())
    })
}

/// Whether a value has a secret anew, where there was one.
fn renews(former: &Value, given: &Value) -> bool {
    match (former, given) {
        (former, given) if is_box(former) => !matches!(given, Value::String(text) if text == MASK),
        (Value::Array(former), Value::Array(given)) => {
            former.iter().zip(given).any(|(former, given)| renews(former, given))
        }
        (Value::Object(former), Value::Object(given)) => {
            former.iter().any(|(name, former)| given.get(name).is_some_and(|given| renews(former, given)))
        }
        _ => false,
    }
}

fn says_something_still(former: &Value, given: &Value) -> bool {
    let (Value::Object(former), Value::Object(given)) = (former, given) else { return false };
    given.iter().any(|(name, value)| masked(value, &Field::default()).is_none() && former.get(name) == Some(value))
}

/// Whether an entry has a text of its own at its place, and neither a text nor a number of another's.
fn is_recognized(place: usize, given: &Value, formerly: &Owners, now: &Owners) -> bool {
    let mut own = false;
    let mut anothers = false;
    marks(given, &Field::default(), &mut |mark| match formerly.owner(&mark) {
        Some(owner) if owner != place => anothers = true,
        Some(_) => own |= mark.is_text && now.owner(&mark).is_some(),
        None => {}
    });
    own && !anothers
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

/// A text or a number of an entry, and where in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    at: Field,
    written: Bytes,
    is_text: bool,
}

/// Every text and every number by which an entry may be told from others.
fn marks(value: &Value, at: &Field, visit: &mut impl FnMut(Mark)) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| marks(value, &at.name(name), visit)),
        Value::Array(items) => items.iter().for_each(|item| marks(item, &at.place(0), visit)),
        Value::String(text) if text == MASK || is_box(value) => {}
        Value::String(_) | Value::Integer(_) | Value::Float(_) => {
            let is_text = matches!(value, Value::String(_));
            visit(Mark { at: at.clone(), written: canonical(value), is_text });
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Which entry of a list has a mark that no other has.
struct Owners(BTreeMap<Mark, Option<usize>>);

impl Owners {
    fn of(entries: &[Value]) -> Self {
        let mut owners = BTreeMap::new();
        for (place, entry) in entries.iter().enumerate() {
            marks(entry, &Field::default(), &mut |mark| {
                let own = |owner: &mut Option<usize>| *owner = owner.filter(|owner| *owner == place);
                owners.entry(mark).and_modify(own).or_insert(Some(place));
            });
        }
        Self(owners)
    }

    fn owner(&self, mark: &Mark) -> Option<usize> {
        self.0.get(mark).copied().flatten()
    }
}
