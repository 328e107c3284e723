//! The places of a gateway's table, and the connections of a key from the newest to the oldest.
//!
//! A key has one connection but for the moments in which a device comes back before its old connection is known to be
//! dead. So the index holds the newest only, and each connection names the next older one.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::gateway::entry::{Entry, NOWHERE, Slot};

#[derive(Debug, Default)]
pub(super) struct Slots {
    entries: Vec<Option<Entry>>,
    free: Vec<Slot>,
    /// By key.
    newest: HashTable<Slot>,
    hasher: RandomState,
}

impl Slots {
    pub(super) fn get(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(slot as usize)?.as_mut()
    }

    /// One more than the highest place in use.
    pub(super) fn end(&self) -> Slot {
        // Insertion refuses what does not fit.
        Slot::try_from(self.entries.len()).unwrap_or(NOWHERE)
    }

    /// The newest connection of a key.
    pub(super) fn newest(&self, key: &[u8]) -> Option<Slot> {
        let hash = self.hasher.hash_one(key);
        self.newest.find(hash, |slot| self.has_key(*slot, key)).copied()
    }

    /// The newest connection of the key that this one has.
    pub(super) fn newest_beside(&self, slot: Slot) -> Option<Slot> {
        self.newest(self.get(slot)?.packed.key_bytes())
    }

    /// This connection and the older ones of its key.
    pub(super) fn from(&self, newest: Slot) -> impl Iterator<Item = (Slot, &Entry)> {
        let mut next = newest;
        std::iter::from_fn(move || {
            let slot = next;
            let entry = self.get(slot)?;
            next = entry.older;
            Some((slot, entry))
        })
    }

    /// Puts a connection in as the newest of its key; none when there are no places left.
    pub(super) fn insert(&mut self, mut entry: Entry) -> Option<Slot> {
        let key = entry.packed.key_bytes();
        let hash = self.hasher.hash_one(key);
        let older = self.newest.find(hash, |slot| self.has_key(*slot, key)).copied();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.end() == NOWHERE => return None,
            None => {
                self.entries.push(None);
                self.end() - 1
            }
        };
        entry.older = older.unwrap_or(NOWHERE);
        self.entries[slot as usize] = Some(entry);
        self.point(hash, older, slot);
        Some(slot)
    }

    /// Takes a connection out.
    pub(super) fn remove(&mut self, slot: Slot) {
        let Some(newest) = self.newest_beside(slot) else { return };
        let newer = self.from(newest).find(|(_, entry)| entry.older == slot).map(|(newer, _)| newer);
        let Some(entry) = self.entries.get_mut(slot as usize).and_then(Option::take) else { return };
        self.free.push(slot);
        match newer {
            Some(newer) => {
                if let Some(newer) = self.get_mut(newer) {
                    newer.older = entry.older;
                }
            }
            None => {
                let hash = self.hasher.hash_one(entry.packed.key_bytes());
                self.point(hash, Some(slot), entry.older);
            }
        }
    }

    /// Moves the index of a key from one connection to another.
    fn point(&mut self, hash: u64, from: Option<Slot>, to: Slot) {
        let Self { entries, newest, hasher, .. } = self;
        let found = from.and_then(|from| newest.find_entry(hash, |slot| *slot == from).ok());
        match found {
            Some(mut found) if to != NOWHERE => *found.get_mut() = to,
            Some(found) => drop(found.remove()),
            None => {
                let rehash = |slot: &Slot| {
                    let entry = entries.get(*slot as usize).and_then(Option::as_ref);
                    hasher.hash_one(entry.map_or(&[][..], |entry| entry.packed.key_bytes()))
                };
                newest.insert_unique(hash, to, rehash);
            }
        }
    }

    fn has_key(&self, slot: Slot, key: &[u8]) -> bool {
        self.get(slot).is_some_and(|entry| entry.packed.key_bytes() == key)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::{
        Registration, SessionKey,
        gateway::packed::{Packed, key_bytes},
    };

    fn entry(user: &str) -> Entry {
        Entry::new(Packed::new(Registration::new(key(user))), oneshot::channel().0)
    }

    fn key(user: &str) -> SessionKey {
        SessionKey::of_user(user.to_owned()).expect("a short name")
    }

    fn of(slots: &Slots, user: &str) -> Vec<Slot> {
        let newest = slots.newest(&key_bytes(&key(user)));
        newest.map(|newest| slots.from(newest).map(|(slot, _)| slot).collect()).unwrap_or_default()
    }

    #[test]
    fn a_key_names_its_connections_from_the_newest_on() {
        let mut slots = Slots::default();
        for user in ["ann", "bob", "ann", "ann"] {
            slots.insert(entry(user));
        }
        assert_eq!((of(&slots, "ann"), of(&slots, "bob")), (vec![3, 2, 0], vec![1]));
        slots.remove(2);
        assert_eq!(of(&slots, "ann"), [3, 0]);
        slots.remove(3);
        assert_eq!(of(&slots, "ann"), [0]);
        slots.remove(0);
        assert!(of(&slots, "ann").is_empty());
        assert_eq!(slots.insert(entry("eve")), Some(0), "a place is used again");
        assert_eq!((of(&slots, "eve"), of(&slots, "bob"), slots.end()), (vec![0], vec![1], 4));
    }

    #[test]
    fn many_keys_are_told_apart() {
        let mut slots = Slots::default();
        for number in 0..5_000 {
            slots.insert(entry(&format!("user-{number}")));
        }
        for number in (0..5_000).step_by(2) {
            slots.remove(number);
        }
        for number in 0..5_000_u32 {
            let expected = if number.is_multiple_of(2) { vec![] } else { vec![number] };
            assert_eq!(of(&slots, &format!("user-{number}")), expected);
        }
    }
}
