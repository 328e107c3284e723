//! Two people changed the same document: what both meant, and where they disagree.
//!
//! Field by field, as [`diff()`](super::diff()) sees them: what one side left as it was is what the other made of it;
//! what both changed in the same way is so; and what each made something else of is a conflict, which names the field.
//! An object that one side removed while the other changed something in it is one, too.

use std::collections::{BTreeMap, BTreeSet};

use super::Field;
use crate::format::Value;

/// What became of a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Both changes; in a conflict, ours. None: nothing is left.
    pub value: Option<Value>,
    /// Where the two disagree, sorted by field.
    pub conflicts: Vec<Conflict>,
}

/// A field that each side made something else of.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// Which.
    pub field: Field,
    /// What both began with; none: it was not there.
    pub base: Option<Value>,
    /// What we made of it; none: it is gone.
    pub ours: Option<Value>,
    /// What they did.
    pub theirs: Option<Value>,
}

/// Merges two changes of one value.
#[must_use]
pub fn merge(base: Option<&Value>, ours: Option<&Value>, theirs: Option<&Value>) -> Merged {
    let mut conflicts = Vec::new();
    let value = merged(base, ours, theirs, &Field::default(), &mut conflicts);
    Merged { value, conflicts }
}

fn merged(
    base: Option<&Value>,
    ours: Option<&Value>,
    theirs: Option<&Value>,
    field: &Field,
    conflicts: &mut Vec<Conflict>,
) -> Option<Value> {
    if ours == theirs || theirs == base {
        return ours.cloned();
    }
    if ours == base {
        return theirs.cloned();
    }
    let empty = BTreeMap::new();
    let base_fields = match base {
        Some(Value::Object(fields)) => Some(fields),
        // Both made an object of it: where they say the same or speak of other fields they agree.
        _ => Some(&empty),
    };
    let (Some(base_fields), Some(Value::Object(our_fields)), Some(Value::Object(their_fields))) =
        (base_fields, ours, theirs)
    else {
        let conflict =
            Conflict { field: field.clone(), base: base.cloned(), ours: ours.cloned(), theirs: theirs.cloned() };
        conflicts.push(conflict);
        return ours.cloned();
    };
    let names: BTreeSet<_> = [base_fields, our_fields, their_fields].into_iter().flat_map(BTreeMap::keys).collect();
    let fields = names.into_iter().filter_map(|name| {
        let (base, ours, theirs) = (base_fields.get(name), our_fields.get(name), their_fields.get(name));
        Some((name.clone(), merged(base, ours, theirs, &field.name(name), conflicts)?))
    });
    Some(Value::Object(fields.collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::diff;
    use crate::format::{Format, canonical, parse};

    fn value(json: &str) -> Value {
        parse(Format::Json, json).expect("it is JSON")
    }

    fn three(base: &str, ours: &str, theirs: &str) -> (String, Vec<String>) {
        let found = merge(Some(&value(base)), Some(&value(ours)), Some(&value(theirs)));
        let merged = found.value.map(|value| canonical(&value)).unwrap_or_default();
        let fields = found.conflicts.iter().map(|conflict| conflict.field.to_string()).collect();
        (String::from_utf8_lossy(&merged).into_owned(), fields)
    }

    #[test]
    fn what_both_meant() {
        let none: Vec<String> = Vec::new();
        let cases = [
            (r#"{"a":1,"b":1}"#, r#"{"a":2,"b":1}"#, r#"{"a":1,"b":2}"#, r#"{"a":2,"b":2}"#, none.clone()),
            (r#"{"a":{"x":1,"y":1}}"#, r#"{"a":{"x":1}}"#, r#"{"a":{"x":2,"y":1}}"#, r#"{"a":{"x":2}}"#, none.clone()),
            (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":2,"b":3}"#, r#"{"a":2,"b":3}"#, none.clone()),
            ("{}", r#"{"a":{"x":1}}"#, r#"{"a":{"y":2}}"#, r#"{"a":{"x":1,"y":2}}"#, none),
            (r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#, r#"{"a":2}"#, vec!["a".to_owned()]),
            (r#"{"a":{"x":1}}"#, "{}", r#"{"a":{"x":2}}"#, "{}", vec!["a".to_owned()]),
            (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, r#"{"a":[1,3]}"#, r#"{"a":[1,2]}"#, vec!["a".to_owned()]),
        ];
        for (base, ours, theirs, merged, conflicts) in cases {
            assert_eq!(three(base, ours, theirs), (merged.to_owned(), conflicts), "{base} {ours} {theirs}");
        }
    }

    #[test]
    fn a_diff_names_fields() {
        let changes = diff(
            &value(r#"{"b":{"x":1,"z":[1]},"gone":{"y":1},"same":1.0}"#),
            &value(r#"{"a":2,"b":{"x":"1","z":[1,2]},"same":1.0}"#),
        );
        let told = changes.iter().map(|change| {
            let shown = |value: &Option<Value>| value.as_ref().map_or_else(Default::default, canonical);
            format!("{} {:?} {:?}", change.field, shown(&change.old), shown(&change.new))
        });
        let expected = [r#"a b"" b"2""#, r#"b.x b"1" b"\"1\"""#, r#"b.z b"[1]" b"[1,2]""#, r#"gone b"{\"y\":1}" b"""#];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), (0..4_i128).prop_map(Value::Integer)];
        leaf.prop_recursive(3, 16, 3, |inner| prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(Value::Object))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_merge_loses_nothing(base in values(), ours in values(), theirs in values()) {
            let both = |a: &Value, b: &Value| merge(Some(&base), Some(a), Some(b));
            prop_assert_eq!(both(&ours, &base).value, Some(ours.clone()));
            prop_assert_eq!(both(&base, &theirs).value, Some(theirs.clone()));
            prop_assert_eq!(both(&ours, &ours).value, Some(ours.clone()));
            let (one, other) = (both(&ours, &theirs), both(&theirs, &ours));
            let fields = |merged: &Merged| merged.conflicts.iter().map(|it| it.field.clone()).collect::<Vec<_>>();
            prop_assert_eq!(fields(&one), fields(&other), "both see the same conflicts");
            if one.conflicts.is_empty() {
                prop_assert_eq!(one.value, other.value);
            }
        }

        #[test]
        fn a_diff_is_empty_for_equal_values_alone(old in values(), new in values()) {
            let changes = diff(&old, &new);
            prop_assert_eq!(changes.is_empty(), old == new);
            prop_assert!(changes.is_sorted_by(|a, b| a.field < b.field));
            for change in &changes {
                prop_assert_eq!(change.field.of(&old), change.old.as_ref());
                prop_assert_eq!(change.field.of(&new), change.new.as_ref());
            }
        }
    }
}
