//! In every format: sealed, shown masked, published again, and open as it was.

use std::sync::atomic::{AtomicU8, Ordering};

use keeper_registry::LogTime;
use proptest::prelude::*;

use super::*;
use crate::config::secret::{mask, masked_text};
use crate::format::{self, Format, canonical};
use crate::publish::DraftChange;

const KEY: &str = "push/room";

fn ring() -> KeyRing {
    KeyRing::parse("2024:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a ring")
}

fn nonces() -> Nonces {
    let next = AtomicU8::new(0);
    Nonces::of(move || [next.fetch_add(1, Ordering::Relaxed); NONCE_BYTES])
}

fn written(format: Format, text: &str) -> Written {
    let value = format::parse(format, text).expect("it is sound");
    Written { format, text: text.to_owned(), value, policy: None, secrets: Vec::new() }
}

fn draft(written: Written) -> Draft {
    let action = DraftAction::Put(Box::new(written));
    Draft { changes: vec![DraftChange { path: KEY.to_owned(), expected: None, action }], ..Draft::default() }
}

fn published(written: &Written) -> Option<Arc<Document>> {
    Some(Arc::new(Document {
        path: KEY.into(),
        format: written.format,
        text: written.text.clone().into(),
        value: canonical(&written.value),
        revision: Revision(7),
        version: 1,
        author: "".into(),
        message: "".into(),
        published_at: LogTime(1),
        deleted: false,
        forced: None,
    }))
}

fn sealed(mut written: Written, fields: &[Field]) -> Written {
    seal(0, KEY, &mut written, fields.iter().cloned().collect(), &ring(), &nonces()).expect("it is sealed");
    written
}

/// What is kept of a text that is published on top of another.
fn kept(text: &str, before: &Written) -> Written {
    let (draft, witnesses) = try_keep(text, &[before]).expect("it is kept");
    assert_eq!(witnesses, [Witness::Document { path: KEY.to_owned(), revision: Revision(7) }]);
    of(draft)
}

/// The same on top of several versions, the newest first.
fn try_keep(text: &str, versions: &[&Written]) -> Result<(Draft, Vec<Witness>), Problem> {
    let newest = versions[0];
    let versions = versions.iter().filter_map(|written| published(written)).collect();
    let before = Before { document: published(newest), versions, ..Before::default() };
    keep(&draft(written(newest.format, text)), &[before], &ring())
}

fn of(mut draft: Draft) -> Written {
    match draft.changes.remove(0).action {
        DraftAction::Put(written) => *written,
        DraftAction::Delete => panic!("a put"),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof!["[ -~]{1,12}".prop_map(Value::String), "[a-z\\n\"'\\\\äé#:]{1,8}".prop_map(Value::String)];
    let scalar =
        prop_oneof![plain, any::<i64>().prop_map(|it| Value::Integer(it.into())), any::<bool>().prop_map(Value::Bool)];
    let table = prop::collection::btree_map("[a-c]{1,2}", scalar, 1..4).prop_map(Value::Object);
    prop::collection::btree_map("[a-c]{1,2}", table, 1..4).prop_map(Value::Object)
}

fn fields(value: &Value) -> Vec<Field> {
    let Value::Object(tables) = value else { return Vec::new() };
    let each = tables.iter().flat_map(|(table, value)| {
        let Value::Object(entries) = value else { return Vec::new() };
        entries.keys().map(|name| Field::default().name(table).name(name)).collect::<Vec<_>>()
    });
    each.collect()
}

proptest! {
    #[test]
    fn what_is_sealed_opens_as_it_was(
        value in any_value(),
        format in prop::sample::select(vec![Format::Toml, Format::Yaml, Format::Json, Format::Ini]),
        chosen in prop::collection::vec(any::<prop::sample::Index>(), 1..3),
    ) {
        let Ok(text) = convert(&value, format) else { return Ok(()) };
        let before = written(format, &text);
        let all = fields(&before.value);
        let chosen: BTreeSet<_> = chosen.iter().map(|index| index.get(&all).clone()).collect();
        let chosen: Vec<_> = chosen.into_iter().collect();
        let shut = sealed(before.clone(), &chosen);
        prop_assert_eq!(format::parse(format, &shut.text), Ok(shut.value.clone()), "the text says what is sealed");
        let mut open = shut.value.clone();
        prop_assert_eq!(&ring().reveal(KEY, &mut open), &chosen);
        prop_assert_eq!(&open, &before.value);
        let mut shown = shut.value.clone();
        mask(&mut shown);
        let text_shown = masked_text(&shut.text);
        prop_assert_eq!(format::parse(format, &text_shown), Ok(shown), "what is shown is a document: {}", text_shown);

        // Published again, as it was or as it is shown, it is what it is.
        for text in [&text, text_shown.as_ref()] {
            let again = kept(text, &shut);
            prop_assert_eq!(&again.value, &shut.value);
            prop_assert_eq!(&sealed(again, &chosen).value, &shut.value);
        }
    }
}

#[test]
fn a_secret_that_cannot_be_found_in_its_text_is_written_anew() {
    let shut = sealed(written(Format::Yaml, "# lost\nkey: |\n  x\n  y\n"), &[Field::parse("key").expect("a field")]);
    assert!(shut.text.contains("keeper-secret:v1:2024:") && !shut.text.contains("# lost"), "{}", shut.text);
    assert_eq!(format::parse(Format::Yaml, &shut.text), Ok(shut.value));
}

#[test]
fn more_secrets_than_one_document_may_have() {
    let value = Value::Object((0..65).map(|n| (format!("k{n}"), Value::Integer(n))).collect());
    let mut written = written(Format::Json, &String::from_utf8_lossy(&canonical(&value)));
    let fields = (0..65).map(|n| Field::default().name(&format!("k{n}"))).collect();
    let refused = seal(0, KEY, &mut written, fields, &ring(), &nonces()).expect_err("too many");
    assert_eq!(refused.to_string(), "push/room has 65 secrets; the limit is 64: split it into several");
}

const USERS: &str = "[[users]]\nname = \"a\"\npw = \"one\"\n[[users]]\nname = \"b\"\npw = \"two\"\n";

fn users() -> Written {
    let fields = ["users[0].pw", "users[1].pw"].map(|field| Field::parse(field).expect("a field"));
    sealed(written(Format::Toml, USERS), &fields)
}

/// What a document says once it is published on top of another.
fn republished(text: &str, before: &Written) -> Value {
    let again = kept(text, before);
    let secrets = again.secrets.clone();
    let mut value = sealed(again, &secrets).value;
    assert!(!canonical(&value).windows(3).any(|text| text == b"one" || text == b"two"), "it is sealed");
    ring().reveal(KEY, &mut value);
    value
}

#[test]
fn a_secret_in_a_list_is_not_given_to_its_neighbour() {
    let users = users();
    let shown = masked_text(&users.text).into_owned();
    let blocks: Vec<_> = shown.split_inclusive("••••••\"\n").collect();
    let says = |text: &str| format::parse(Format::Toml, text).expect("it is TOML");
    let (a, b) = USERS.split_at(USERS.len() / 2);
    assert_eq!(republished(blocks[1], &users), says(b), "the first is removed");
    let swapped = format!("{}{}", blocks[1], blocks[0]);
    assert_eq!(republished(&swapped, &users), says(&format!("{b}{a}")), "the two change places");
    let renamed = format!("{}{}", blocks[0], blocks[1].replace("\"b\"", "\"c\""));
    let refused = try_keep(&renamed, &[&users]).expect_err("it is not certain whose it is").to_string();
    assert!(
        refused.contains("users[1].pw stands masked, and its list has changed") && refused.contains("write the secret"),
        "{refused}"
    );
    let inserted = format!("[[users]]\nname = \"c\"\npw = \"new\"\n{shown}");
    let kept = kept(&inserted, &users);
    assert!(kept.secrets.contains(&Field::parse("users[0].pw").expect("a field")), "the new one is sealed, too");
    assert!(kept.secrets.contains(&Field::parse("users[2].pw").expect("a field")), "and the one that moved");
}

#[test]
fn a_field_that_was_sealed_once_is_sealed_when_it_comes_back() {
    let password = Field::parse("password").expect("a field");
    let first = sealed(written(Format::Toml, "password = \"one\"\n"), std::slice::from_ref(&password));
    let without = written(Format::Toml, "x = 1\n");
    let (kept, witnesses) = try_keep("password = \"two\"\n", &[&without, &first]).expect("it is kept");
    assert_eq!((of(kept).secrets, witnesses.len()), (vec![password.clone()], 1));
    // Over a deletion.
    let before = Before { document: None, versions: published(&first).into_iter().collect(), ..Before::default() };
    let again = draft(written(Format::Toml, "password = \"two\"\n"));
    assert!(has_secrets(&again, std::slice::from_ref(&before)));
    let (kept, witnesses) = keep(&again, &[before], &ring()).expect("it is kept");
    assert_eq!(of(kept).secrets, [password]);
    assert_eq!(witnesses, [Witness::Document { path: KEY.to_owned(), revision: Revision(0) }]);
}

#[test]
fn an_alias_does_not_repeat_a_secret_in_the_clear() {
    let password = Field::parse("password").expect("a field");
    let refuse = |text: &str| {
        let mut written = written(Format::Yaml, text);
        seal(0, KEY, &mut written, [password.clone()].into(), &ring(), &nonces())
            .map(|_| ())
            .map_err(|it| it.to_string())
    };
    for text in [
        "password: &p HUNTERyaml\ncopy: *p\n",
        "base: &b {copy: HUNTERyaml}\nmore: *b\npassword: HUNTERyaml\n",
        "password: &p 4711\nlist: [1, *p]\n",
    ] {
        let refused = refuse(text).expect_err("it would stay readable");
        assert!(refused.contains("is the same as the secret password, in a text with aliases"), "{refused}");
        assert!(!refused.contains("HUNTER") && !refused.contains("4711"), "{refused}");
    }
    assert_eq!(refuse("password: HUNTERyaml\nname: HUNTERyaml\n"), Ok(()), "nothing is repeated by an alias");
    assert_eq!(refuse("password: HUNTERyaml\na: &a 1\nb: *a\n"), Ok(()));
}
