//! Sealed and opened, and not opened elsewhere.

use super::*;

const OLD: &str = "2024:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NEW: &str = "2025:Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
const PATH: &str = "push/room.toml@zone=eu-1";

fn ring(keys: &[&str]) -> KeyRing {
    KeyRing::parse(&keys.join("\n")).expect("it is a ring")
}

fn document() -> Value {
    format::parse(Format::Json, r#"{"db":{"password":"hunter2","pin":1234},"name":"x"}"#).expect("it is JSON")
}

fn fields() -> [Field; 3] {
    ["db.password", "db.pin", "db.none"].map(|field| Field::parse(field).expect("it is a field"))
}

fn sealed(ring: &KeyRing) -> Value {
    let (mut value, mut count) = (document(), 0);
    let nonce = || {
        count += 1;
        [count; NONCE_BYTES]
    };
    ring.seal(PATH, &mut value, &fields(), nonce).expect("it is sealed");
    value
}

/// Boxes are kept for ever: what is written here must open in every later version.
#[test]
fn a_box_is_what_it_was() {
    assert_eq!(canonical(&sealed(&ring(&[OLD]))), GOLDEN);
    let mut kept = format::parse(Format::Json, GOLDEN).expect("it is JSON");
    assert_eq!(ring(&[OLD, NEW]).reveal(PATH, &mut kept), fields()[..2]);
    assert_eq!(kept, document());
}

const GOLDEN: &str = concat!(
    r#"{"db":{"password":"keeper-secret:v1:2024:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBi4liZghzy3C+A/Ia6myvT+XjV//6ID6Dmg==","#,
    r#""pin":"keeper-secret:v1:2024:AgICAgICAgICAgICAgICAgICAgICAgICl9MBENT/9VgyB5GN0mSnfeGF4rQ="},"name":"x"}"#
);

#[test]
fn a_box_opens_nowhere_else() {
    let keys = ring(&[OLD]);
    let shut = sealed(&keys);
    let opens = |ring: &KeyRing, path: &str, value: &Value| {
        let mut value = value.clone();
        ring.reveal(path, &mut value);
        sealed_fields(&value).is_empty()
    };
    assert!(opens(&keys, PATH, &shut));
    assert!(!opens(&keys, "push/room.toml", &shut), "another document");
    assert!(!opens(&ring(&[NEW]), PATH, &shut), "another ring");
    let impostor = NEW.replace("2025", "2024");
    assert!(!opens(&ring(&[&impostor]), PATH, &shut), "another key of that name");
    let [password, pin, _] = fields();
    let mut swapped = shut.clone();
    let (first, second) = (password.of(&shut).cloned(), pin.of(&shut).cloned());
    *password.of_mut(&mut swapped).expect("it is there") = second.expect("it is there");
    *pin.of_mut(&mut swapped).expect("it is there") = first.expect("it is there");
    assert!(!opens(&keys, PATH, &swapped), "another field");
    let Some(Value::String(text)) = password.of(&shut) else { panic!("a box is a string") };
    let data = text.rfind(':').expect("a box has parts") + 1;
    for at in data..text.len() {
        let mut damaged = text.clone().into_bytes();
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        let mut value = shut.clone();
        *password.of_mut(&mut value).expect("it is there") = Value::String(String::from_utf8(damaged).expect("ASCII"));
        assert!(!opens(&keys, PATH, &value), "damaged at {at}");
    }
}

#[test]
fn a_rotation_seals_anew_and_once() {
    let old = sealed(&ring(&[OLD]));
    let both = ring(&[OLD, NEW]);
    let mut rotated = old.clone();
    both.seal(PATH, &mut rotated, &sealed_fields(&old), || [9; NONCE_BYTES]).expect("it is sealed");
    assert_ne!(rotated, old);
    let mut opened = rotated.clone();
    ring(&[NEW]).reveal(PATH, &mut opened);
    assert_eq!(opened, document());
    let mut again = rotated.clone();
    both.seal(PATH, &mut again, &sealed_fields(&rotated), || panic!("nothing is left to seal")).expect("it is sealed");
    assert_eq!(again, rotated);
}

#[test]
fn a_mask_says_nothing() {
    let mut shown = sealed(&ring(&[OLD]));
    mask(&mut shown);
    assert_eq!(canonical(&shown), r#"{"db":{"password":"••••••","pin":"••••••"},"name":"x"}"#);
    assert_eq!(format!("{:?}", ring(&[OLD, NEW])), r#"["2024", "2025"]"#);
}

#[test]
fn what_cannot_be_sealed_is_refused() {
    let refuse = |ring: &KeyRing, field: &str| {
        let field = Field::parse(field).expect("it is a field");
        let sealed = ring.seal(PATH, &mut document(), &[field], || [0; NONCE_BYTES]);
        sealed.expect_err("it is to be refused").to_string()
    };
    assert_eq!(refuse(&KeyRing::default(), "name"), "name is a secret, and this node has no key to seal it with");
    assert_eq!(refuse(&ring(&[OLD]), "db"), "db is a secret and has to be a text, a number or a boolean");
}

#[test]
fn a_ring_is_read_or_refused_without_showing_a_key() {
    assert_eq!(format!("{:?}", ring(&["# of 2024", OLD, "", &format!("{NEW} ,")])), r#"["2024", "2025"]"#);
    assert!(KeyRing::parse(" \n# none\n").expect("it is a ring").is_empty());
    for wrong in [
        "2024",
        "2024:",
        "2024:AAEC",
        ":AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "a b:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    ] {
        let refused = KeyRing::parse(&format!("{OLD},{wrong}")).map(|_| ()).expect_err("it is to be refused");
        assert_eq!(refused, SecretError::Key(2));
        assert!(!refused.to_string().contains("AAEC"));
    }
    assert_eq!(KeyRing::parse(&format!("{OLD},{OLD}")).err(), Some(SecretError::Repeated("2024".to_owned())));
}
