//! Never does an entry get a secret that was not its own.

use proptest::prelude::*;

use super::*;
use crate::config::secret::{mask, sealed_fields};
use crate::format::{self, Format};

fn json(text: &str) -> Value {
    format::parse(Format::Json, text).expect("it is JSON")
}

/// A box that says whose it is: `#a` stands for it in a text.
fn with_boxes(text: &str) -> Value {
    json(&text.replace('#', "keeper-secret:v1:k:"))
}

fn shown(text: &str) -> Value {
    json(&text.replace('*', MASK))
}

/// What stays of which: `[1].pw=[0].pw`, or why not.
fn placed(former: &str, given: &str) -> String {
    match masks(&with_boxes(former), &shown(given)) {
        Ok(stays) => stays.iter().map(|stay| format!("{}={}", stay.at, stay.from)).collect::<Vec<_>>().join(" "),
        Err(Unplaced::Nothing(field)) => format!("nothing: {field}"),
        Err(Unplaced::Uncertain(field)) => format!("uncertain: {field}"),
    }
}

const USERS: &str = r##"[{"n":"a","h":"x","pw":"#a"},{"n":"b","h":"y","pw":"#b"},{"n":"c","h":"z","pw":"#c"}]"##;

#[test]
fn a_mask_goes_with_its_entry() {
    let (a, b, c) = (r#"{"n":"a","h":"x","pw":"*"}"#, r#"{"n":"b","h":"y","pw":"*"}"#, r#"{"n":"c","h":"z","pw":"*"}"#);
    let new = r#"{"n":"d","h":"w","pw":"mine"}"#;
    let cases = [
        (format!("[{a},{b},{c}]"), "[0].pw=[0].pw [1].pw=[1].pw [2].pw=[2].pw"),
        (format!("[{b},{c}]"), "[0].pw=[1].pw [1].pw=[2].pw"),
        (format!("[{c},{b},{a}]"), "[0].pw=[2].pw [1].pw=[1].pw [2].pw=[0].pw"),
        (format!("[{new},{a},{b},{c}]"), "[1].pw=[0].pw [2].pw=[1].pw [3].pw=[2].pw"),
        (format!("[{a},{b},{c},{new}]"), "[0].pw=[0].pw [1].pw=[1].pw [2].pw=[2].pw"),
        // A new secret of one entry is no change of the list.
        (format!(r#"[{a},{{"n":"b","h":"y","pw":5}},{c}]"#), "[0].pw=[0].pw [2].pw=[2].pw"),
        // An entry that is edited where it stands is recognized by the text that it kept; several may be.
        (format!(r#"[{a},{{"n":"b","h":"new","pw":"*"}},{c}]"#), "[0].pw=[0].pw [1].pw=[1].pw [2].pw=[2].pw"),
        (
            format!(r#"[{{"n":"a2","h":"x","pw":"*"}},{{"n":"b","h":"new","pw":"*"}},{c}]"#),
            "[0].pw=[0].pw [1].pw=[1].pw [2].pw=[2].pw",
        ),
        // But not by one that is another's, nor when nothing of it is left, nor when the list has another length.
        (format!(r#"[{a},{{"n":"b","h":"x","pw":"*"}},{c}]"#), "uncertain: [1].pw"),
        (format!(r#"[{a},{{"n":"d","h":"w","pw":"*"}},{c}]"#), "uncertain: [1].pw"),
        (format!(r#"[{a},{{"n":"b","h":"new","pw":"*"}}]"#), "uncertain: [1].pw"),
        (format!("[{b},{b},{c}]"), "uncertain: [0].pw"),
        (format!("[{a},{a},{b},{c}]"), "uncertain: [0].pw"),
        // Of two that are removed and one that is new, the new one is nobody.
        (r#"[{"n":"d","h":"w","pw":"*"}]"#.to_owned(), "uncertain: [0].pw"),
        (format!(r#"[{b},{{"n":"a","h":"x2","pw":"*"}},{c}]"#), "uncertain: [1].pw"),
    ];
    for (given, expected) in cases {
        assert_eq!(placed(USERS, &given), expected, "{given}");
    }
}

#[test]
fn equal_entries_and_bare_secrets_go_by_their_places_alone() {
    let twins = r##"[{"n":"a","pw":"#1"},{"n":"a","pw":"#2"}]"##;
    let a = r#"{"n":"a","pw":"*"}"#;
    assert_eq!(placed(twins, &format!("[{a},{a}]")), "[0].pw=[0].pw [1].pw=[1].pw");
    assert_eq!(placed(twins, &format!("[{a}]")), "uncertain: [0].pw");
    assert_eq!(placed(twins, &format!(r#"[{a},{a},{{"n":"b","pw":"x"}}]"#)), "uncertain: [0].pw");
    let bare = r##"{"l":["#1","#2","#3"]}"##;
    assert_eq!(placed(bare, r#"{"l":["*","*","*"]}"#), "l[0]=l[0] l[1]=l[1] l[2]=l[2]");
    assert_eq!(placed(bare, r#"{"l":["mine","new","other"]}"#), "");
    // The first may have been removed, and the new one added behind; so with equal entries.
    assert_eq!(placed(twins, &format!(r#"[{a},{{"n":"a","pw":"new"}}]"#)), "uncertain: [0].pw");
    let given = [r#"["*","*"]"#, r#"["*"]"#, r#"["*","*","*","new"]"#, r#"["*","new","*"]"#, r#"["*","*","new"]"#];
    for given in given.map(|list| format!(r#"{{"l":{list}}}"#)) {
        let given = given.as_str();
        assert_eq!(placed(bare, given), "uncertain: l[0]", "{given}");
    }
    assert_eq!(placed(r##"["#1"]"##, r#"["new","*"]"#), "[1]=[0]", "there is but one");
}

#[test]
fn lists_in_lists_and_names() {
    let nested = r##"[["#1","#2"],["#3"],[{"n":"x","in":[{"pw":"#4"}]}]]"##;
    let inner = r#"[{"n":"x","in":[{"pw":"*"}]}]"#;
    assert_eq!(
        placed(nested, &format!(r#"[["*"],["*","*"],{inner}]"#)),
        "[0][0]=[1][0] [1][0]=[0][0] [1][1]=[0][1] [2][0].in[0].pw=[2][0].in[0].pw"
    );
    assert_eq!(placed(nested, &format!("[{inner}]")), "[0][0].in[0].pw=[2][0].in[0].pw");
    assert_eq!(placed(nested, r#"[["*"],["*"]]"#), "uncertain: [0][0]");
    assert_eq!(placed(r##"{"a":{"pw":"#1"}}"##, r#"{"a":{"pw":"*","x":1}}"#), "a.pw=a.pw");
    assert_eq!(placed(r##"{"a":{"pw":"#1"}}"##, r#"{"b":{"pw":"*"}}"#), "nothing: b.pw");
    assert_eq!(placed(r##"{"a":{"pw":"#1"}}"##, r#"{"a":["*"]}"#), "nothing: a[0]");
    assert_eq!(placed(r##"[{"n":"a","p":1,"pw":"#1"}]"##, r#"[{"n":"b","p":1,"pw":"*"}]"#), "[0].pw=[0].pw");
    assert_eq!(placed(r##"[{"n":"a","pw":"#1"}]"##, r#"[{"n":"b","pw":"*"}]"#), "uncertain: [0].pw");
    let many = (0..=SECRETS_MAX).map(|n| format!(r#"{{"n":"{n}","pw":"*"}}"#)).collect::<Vec<_>>().join(",");
    assert_eq!(placed("[]", &format!("[{many}]")), format!("nothing: [{SECRETS_MAX}].pw"));
}

#[test]
fn what_names_an_entry_may_stand_deep_within_it_and_be_a_number() {
    let former = r##"[{"t":"k","u":{"n":"a","pw":"#a"}},{"t":"l","u":{"n":"b","pw":"#b"}}]"##;
    let swapped = r#"[{"t":"k","u":{"n":"b","pw":"*"}},{"t":"l","u":{"n":"a","pw":"*"}}]"#;
    assert_eq!(placed(former, swapped), "uncertain: [0].u.pw");
    let edited = r#"[{"t":"x","u":{"n":"a","pw":"*"}},{"t":"l","u":{"n":"b","pw":"*"}}]"#;
    assert_eq!(placed(former, edited), "[0].u.pw=[0].u.pw [1].u.pw=[1].u.pw");
    let numbered = r##"[{"t":"k","id":1,"pw":"#a"},{"t":"l","id":2,"pw":"#b"}]"##;
    assert_eq!(placed(numbered, r#"[{"t":"k","id":2,"pw":"*"},{"t":"l","id":1,"pw":"*"}]"#), "uncertain: [0].pw");
    assert_eq!(
        placed(numbered, r#"[{"t":"k","id":7,"pw":"*"},{"t":"l","id":2,"pw":"*"}]"#),
        "[0].pw=[0].pw [1].pw=[1].pw"
    );
}

/// An entry and the secret that it carries, whatever becomes of it.
#[derive(Debug, Clone)]
struct Entry {
    name: String,
    note: String,
    weight: i128,
    secret: usize,
    is_masked: bool,
}

impl Entry {
    fn value(&self, secret: String) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        let secret = Value::Object([("pw".to_owned(), Value::String(secret))].into());
        let entries = [
            ("name", text(&self.name)),
            ("note", text(&self.note)),
            ("weight", Value::Integer(self.weight)),
            ("login", Value::Array(vec![secret])),
        ];
        Value::Object(entries.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

/// What somebody does to a list that he is shown.
#[derive(Debug, Clone)]
enum Edit {
    Remove(prop::sample::Index),
    Insert(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Rename(prop::sample::Index),
    Note(prop::sample::Index),
    Weigh(prop::sample::Index, i128),
    Reseal(prop::sample::Index),
    Copy(prop::sample::Index, prop::sample::Index),
}

impl Edit {
    /// `fresh` is a number that nothing has yet.
    fn apply(&self, entries: &mut Vec<Entry>, fresh: usize) {
        if let Self::Insert(place) = self {
            let (name, note) = (format!("new{fresh}"), String::new());
            let entry = Entry { name, note, weight: 0, secret: fresh, is_masked: false };
            return entries.insert(place.index(entries.len() + 1), entry);
        }
        if entries.is_empty() {
            return;
        }
        let count = entries.len();
        match self {
            Self::Remove(place) => drop(entries.remove(place.index(count))),
            Self::Insert(_) => {}
            Self::Swap(one, other) => entries.swap(one.index(count), other.index(count)),
            Self::Rename(place) => entries[place.index(count)].name = format!("name{fresh}"),
            Self::Note(place) => entries[place.index(count)].note = format!("note{fresh}"),
            Self::Weigh(place, weight) => entries[place.index(count)].weight = *weight,
            Self::Reseal(place) => {
                let entry = &mut entries[place.index(count)];
                (entry.secret, entry.is_masked) = (fresh, false);
            }
            Self::Copy(from, to) => {
                let copy = entries[from.index(count)].clone();
                entries.insert(to.index(count + 1), copy);
            }
        }
    }
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    use prop::sample::Index;
    let place = any::<Index>;
    let edit = prop_oneof![
        place().prop_map(Edit::Remove),
        place().prop_map(Edit::Insert),
        (place(), place()).prop_map(|(one, other)| Edit::Swap(one, other)),
        place().prop_map(Edit::Rename),
        place().prop_map(Edit::Note),
        (place(), 0..3_i128).prop_map(|(place, weight)| Edit::Weigh(place, weight)),
        place().prop_map(Edit::Reseal),
        (place(), place()).prop_map(|(from, to)| Edit::Copy(from, to)),
    ];
    prop::collection::vec(edit, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    /// Names are each entry's own; notes are shared by some. Whatever is done, in whatever order: a mask that is taken
    /// stands for the secret that its entry has had all along.
    #[test]
    fn no_entry_gets_the_secret_of_another(notes in prop::collection::vec(0..3_usize, 1..6), edits in edits()) {
        let mut entries: Vec<_> = notes.iter().enumerate().map(|(place, note)| Entry {
            name: format!("n{place}"), note: format!("note-{note}"), weight: 0, secret: place, is_masked: true,
        }).collect();
        let sealed = |entry: &Entry| entry.value(format!("keeper-secret:v1:k:{}", entry.secret));
        let former = Value::Array(entries.iter().map(sealed).collect());
        for (step, edit) in edits.iter().enumerate() {
            edit.apply(&mut entries, 100 + step);
        }
        let given = |entry: &Entry| entry.value(if entry.is_masked { MASK.to_owned() } else { "mine".to_owned() });
        let given = Value::Array(entries.iter().map(given).collect());
        if let Ok(stays) = masks(&former, &given) {
            prop_assert_eq!(stays.len(), entries.iter().filter(|entry| entry.is_masked).count());
            for stay in stays {
                let Some(crate::config::Step::Place(place)) = stay.at.steps().first() else { panic!("it is a list") };
                let own = format!("keeper-secret:v1:k:{}", entries[*place].secret);
                prop_assert_eq!(stay.from.of(&former), Some(&Value::String(own)), "{}", stay.at);
            }
        }
    }

    /// What is shown can be given back as it is, whatever it is.
    #[test]
    fn what_is_shown_stays_as_it_is(lengths in prop::collection::vec(0..4_usize, 0..5)) {
        let boxed = |place: usize| Value::String(format!("keeper-secret:v1:k:{place}"));
        let list = |length: &usize| Value::Array((0..*length).map(boxed).collect());
        let former = Value::Array(lengths.iter().map(list).collect());
        let mut given = former.clone();
        mask(&mut given);
        let stays = masks(&former, &given).expect("it is what is published");
        prop_assert!(stays.iter().all(|stay| stay.at == stay.from));
        prop_assert_eq!(stays.len(), sealed_fields(&former).len());
    }

    /// Of bare secrets one is removed, or one is added: nothing that is given is taken for another's.
    #[test]
    fn a_list_of_bare_secrets_keeps_its_length(count in 2..6_usize, place in any::<prop::sample::Index>()) {
        let former = Value::Array((0..count).map(|n| Value::String(format!("keeper-secret:v1:k:{n}"))).collect());
        let masked = |count: usize| vec![Value::String(MASK.to_owned()); count];
        prop_assert!(masks(&former, &Value::Array(masked(count - 1))).is_err());
        let mut more = masked(count);
        more.insert(place.index(count + 1), Value::String("new".to_owned()));
        prop_assert!(masks(&former, &Value::Array(more)).is_err());
    }
}
