//! What it takes to hold a large document against a hostile schema. A process of its own, so that its peak of memory is
//! this one's.

use keeper::config::schema::Schema;
use keeper::format::{self, Format};

/// The most that this process has ever had, in mebibytes.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("it has a peak");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number");
    kib / 1024
}

/// Each alternative used to hold a copy of the document: a schema of 64 KiB and half a megabyte of text were 28 GB.
#[test]
fn alternatives_do_not_multiply_a_document() {
    let repeated = |one: &str, count: usize| vec![one; count].join(",");
    let document = format!("[{}]", repeated("1", 250_000));
    let under_a_name = |bytes: usize| format!("{{\"{}\":[{}]}}", "k".repeat(bytes), repeated("1", 100_000));
    let long = "x".repeat(60_000);
    let cases = [
        (format!(r#"{{"anyOf":[{}]}}"#, repeated(r#"{"type":"string"}"#, 3_000)), document.clone()),
        (format!(r#"{{"oneOf":[{}]}}"#, repeated(r#"{"type":"string"}"#, 3_000)), document.clone()),
        (format!(r#"{{"items":{{"oneOf":[{}]}}}}"#, repeated(r#"{"type":"string"}"#, 3)), document.clone()),
        (format!(r#"{{"items":{{"const":"{long}"}}}}"#), document.clone()),
        (format!(r#"{{"items":{{"type":"string","pattern":"^{}$"}}}}"#, "x".repeat(1_000)), document.clone()),
        (r#"{"items":{"type":"string","minLength":1}}"#.to_owned(), document),
        (r#"{"additionalProperties":{"items":{"type":"string"}}}"#.to_owned(), under_a_name(200_000)),
    ];
    for (schema, document) in cases {
        let read = Schema::read(schema.as_bytes()).expect("it is a schema");
        let value = format::parse(Format::Json, &document).expect("it is JSON");
        let before = peak_mib();
        let found = read.violations(&value, &[]).expect("it is within the steps");
        let (shown, grown) = (schema.get(..60).unwrap_or(&schema), peak_mib() - before);
        println!("{grown} MiB: {shown}");
        assert_eq!(found.len(), 1, "the verdict is the same: {shown}");
        assert!(grown < 256, "{grown} MiB for {shown}");
    }
    let marked = r#"{"additionalProperties":{"items":{"x-keeper-secret":true}}}"#;
    let value = format::parse(Format::Json, &under_a_name(200_000)).expect("it is JSON");
    let refused = Schema::read(marked.as_bytes()).expect("it is a schema").secrets(&value).expect_err("20 GB of names");
    assert!(refused.to_string().contains("marks as secrets"), "{refused}");
    assert!(peak_mib() < 1_024, "{} MiB", peak_mib());
}
