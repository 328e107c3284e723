//! Four formats, and everything else stays.

use super::*;

fn rewritten(format: Format, text: &str, field: &str, to: &Value) -> Option<String> {
    let value = format::parse(format, text).expect("it is sound");
    rewrite(format, text, &value, &Field::parse(field).expect("a field"), to, &mut Patience::default())
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

#[test]
fn only_the_value_changes() {
    let cases = [
        (
            Format::Toml,
            "a = \"x\" # x\n[db]\npin = 1 # x\nkey='x'\n",
            "db.key",
            "a = \"x\" # x\n[db]\npin = 1 # x\nkey='B'\n",
        ),
        (Format::Toml, "[db]\nkey = \"\"\"\nx\ny\"\"\" # k\n", "db.key", "[db]\nkey = \"\"\"\nB\"\"\" # k\n"),
        (Format::Toml, "a=1\npin = 1 # 1\n", "pin", "a=1\npin = \"B\" # 1\n"),
        (Format::Toml, "k = [\"a\", \"a\"]\n", "k[1]", "k = [\"a\", \"B\"]\n"),
        (Format::Yaml, "# x\na: x\ndb:\n  key: x # x\n", "db.key", "# x\na: x\ndb:\n  key: B # x\n"),
        (Format::Yaml, "key: 'it''s'\n", "key", "key: \"B\"\n"),
        (Format::Yaml, "on: true\nkey: true\n", "key", "on: true\nkey: \"B\"\n"),
        (Format::Json, "{\"a\": \"x\", \"key\":\"x\" }", "key", "{\"a\": \"x\", \"key\":\"B\" }"),
        (Format::Json, "{\"key\": \"a\\\"\\n\"}", "key", "{\"key\": \"B\"}"),
        (Format::Json, "{\"key\": \"\", \"b\": \"\"}", "key", "{\"key\": \"B\", \"b\": \"\"}"),
        (Format::Ini, "; x\na = x\n[db]\nkey = x\n", "db.key", "; x\na = x\n[db]\nkey = B\n"),
    ];
    for (format, before, field, after) in cases {
        assert_eq!(rewritten(format, before, field, &text("B")).as_deref(), Some(after), "{before}");
    }
}

#[test]
fn what_nobody_finds_is_left_to_be_written_anew() {
    assert_eq!(rewritten(Format::Yaml, "key: |\n  x\n  y\n", "key", &text("B")), None);
    assert_eq!(rewritten(Format::Toml, "key = 0x10\n", "key", &text("B")), None);
    assert_eq!(rewritten(Format::Yaml, "a: &x secret\nkey: *x\n", "key", &text("B")), None, "it would change both");
}

#[test]
fn patience_ends() {
    let text = "key = \"x\"\n";
    let (value, field) = (format::parse(Format::Toml, text).expect("sound"), Field::parse("key").expect("a field"));
    let mut patience = Patience(text.len());
    assert!(rewrite(Format::Toml, text, &value, &field, &self::text("B"), &mut patience).is_some());
    assert_eq!(rewrite(Format::Toml, text, &value, &field, &self::text("B"), &mut patience), None);
}

#[test]
fn a_number_comes_back_out_of_its_quotes() {
    let sealed = "[db]\npin = \"keeper-secret:v1:a:b\" # x\n";
    assert_eq!(rewritten(Format::Toml, sealed, "db.pin", &Value::Integer(7)).as_deref(), Some("[db]\npin = 7 # x\n"));
}
