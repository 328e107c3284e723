//! The session policy as it is written: the document at [`limits::POLICY_PATH`], in any of the four formats.
//!
//! It is read where it is proposed, and what it says travels with its entry: a text that is not a policy is refused
//! like one that is not a document, with line and column, and the policy that was in force stays. A key that is not
//! known is an error, because a misspelt grace that is silently ignored is found out in the worst hour.
//!
//! ```toml
//! grace_ms = 10000                            # sessions without topics, and topics that are not named
//! instance_sessions_max = 1000000
//! expected = ["gateway/gw-1", "gateway/gw-2"] # waited for when the registry is filled again
//!
//! [topics.orders]
//! grace_ms = 3000
//! sessions_max = 50000
//!
//! [instances]
//! "gateway/gw-1" = 500000
//! ```
//!
//! A topic whose name is not UTF-8 cannot be named, and gets the defaults.

use std::collections::BTreeMap;
use std::sync::Arc;

use keeper_registry::{SessionPolicy, TopicPolicy, limits};
use serde::Deserialize;

use crate::format::{self, Format, SyntaxError};
use crate::problem::excerpt;

/// A grace that is not forever.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
struct Grace(u32);

/// The name of a topic.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Topic(Arc<[u8]>);

/// "service/id".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Instance((Arc<str>, Arc<str>));

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<Topic, OfTopic>")]
struct Topics(BTreeMap<Topic, OfTopic>);

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<Instance, u64>")]
struct Instances(BTreeMap<Instance, u64>);

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "Vec<Instance>")]
struct Expected(Vec<Instance>);

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "what is decided about a topic")]
struct OfTopic {
    grace_ms: Option<Grace>,
    sessions_max: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    grace_ms: Grace,
    instance_sessions_max: Option<u64>,
    topics: Topics,
    instances: Instances,
    expected: Expected,
}

/// What a document says about sessions.
///
/// # Errors
/// The text is not a document, or not a policy.
pub fn parse(format: Format, text: &str) -> Result<SessionPolicy, SyntaxError> {
    let written: Written = format::read(format, text)?;
    let topic = |(Topic(name), of): (Topic, OfTopic)| {
        (name, TopicPolicy { grace_ms: of.grace_ms.map(|Grace(ms)| ms), sessions_max: of.sessions_max })
    };
    Ok(SessionPolicy {
        grace_ms: written.grace_ms.0,
        topics: written.topics.0.into_iter().map(topic).collect(),
        instance_sessions_max: written.instance_sessions_max,
        instances: written.instances.0.into_iter().map(|(Instance(name), most)| (name, most)).collect(),
        expected: written.expected.0.into_iter().map(|Instance(name)| name).collect(),
    })
}

impl TryFrom<u32> for Grace {
    type Error = String;

    fn try_from(ms: u32) -> Result<Self, String> {
        let most = limits::GRACE_MS_MAX;
        if ms <= most { Ok(Self(ms)) } else { Err(format!("a grace of {ms} ms; the longest is {most}")) }
    }
}

impl TryFrom<String> for Topic {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let most = limits::TOPIC_BYTES_MAX;
        match name.len() {
            0 => Err("the name of a topic is empty".to_owned()),
            length if length > most => Err(format!("the name of a topic has {length} bytes; the limit is {most}")),
            _ => Ok(Self(name.into_bytes().into())),
        }
    }
}

impl TryFrom<String> for Instance {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let is_name = |name: &str| {
            let within = (1..=limits::NAME_BYTES_MAX).contains(&name.len());
            within && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        match name.split_once('/') {
            Some((service, id)) if is_name(service) && is_name(id) => Ok(Self((service.into(), id.into()))),
            _ => Err(format!("`{}` names no instance: it is written service/id", excerpt(&name))),
        }
    }
}

impl TryFrom<BTreeMap<Topic, OfTopic>> for Topics {
    type Error = String;

    fn try_from(topics: BTreeMap<Topic, OfTopic>) -> Result<Self, String> {
        within("topics", topics.len(), limits::POLICY_TOPICS_MAX).map(|()| Self(topics))
    }
}

impl TryFrom<BTreeMap<Instance, u64>> for Instances {
    type Error = String;

    fn try_from(instances: BTreeMap<Instance, u64>) -> Result<Self, String> {
        within("instances", instances.len(), limits::POLICY_INSTANCES_MAX).map(|()| Self(instances))
    }
}

impl TryFrom<Vec<Instance>> for Expected {
    type Error = String;

    fn try_from(mut instances: Vec<Instance>) -> Result<Self, String> {
        within("expected instances", instances.len(), limits::POLICY_INSTANCES_MAX)?;
        instances.sort();
        match instances.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("`{}/{}` is given twice", pair[0].0.0, pair[0].0.1)),
            None => Ok(Self(instances)),
        }
    }
}

fn within(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count <= most { Ok(()) } else { Err(format!("{count} {what}; the limit is {most}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "grace_ms = 10000\ninstance_sessions_max = 1000\nexpected = [\"gateway/b\", \"gateway/a\"]\n\
                        [topics.orders]\ngrace_ms = 3000\nsessions_max = 50\n[topics.chat]\n\
                        [instances]\n\"gateway/a\" = 500\n";
    const YAML: &str = "grace_ms: 10000\ninstance_sessions_max: 1000\nexpected: [gateway/b, gateway/a]\n\
                        topics:\n  orders: {grace_ms: 3000, sessions_max: 50}\n  chat: {}\ninstances:\n  gateway/a: 500\n";
    const JSON: &str = r#"{"grace_ms": 10000, "instance_sessions_max": 1000, "expected": ["gateway/b", "gateway/a"],
        "topics": {"orders": {"grace_ms": 3000, "sessions_max": 50}, "chat": {}}, "instances": {"gateway/a": 500}}"#;
    const INI: &str = "grace_ms = 10000\ninstance_sessions_max = 1000\nexpected = gateway/b, gateway/a\n\
                       [topics.orders]\ngrace_ms = 3000\nsessions_max = 50\n[topics.chat]\n[instances]\ngateway/a = 500\n";

    #[test]
    fn four_formats_say_the_same() {
        let instance = |id: &str| (Arc::from("gateway"), Arc::from(id));
        let expected = SessionPolicy {
            grace_ms: 10_000,
            topics: BTreeMap::from([
                (Arc::from(&b"chat"[..]), TopicPolicy::default()),
                (Arc::from(&b"orders"[..]), TopicPolicy { grace_ms: Some(3_000), sessions_max: Some(50) }),
            ]),
            instance_sessions_max: Some(1_000),
            instances: BTreeMap::from([(instance("a"), 500)]),
            expected: vec![instance("a"), instance("b")],
        };
        for (format, text) in [(Format::Toml, TOML), (Format::Yaml, YAML), (Format::Json, JSON), (Format::Ini, INI)] {
            assert_eq!(parse(format, text), Ok(expected.clone()), "{format:?}");
        }
    }

    #[test]
    fn nothing_written_is_the_default() {
        for (format, text) in [(Format::Toml, ""), (Format::Json, "{}"), (Format::Ini, ""), (Format::Yaml, "{}")] {
            assert_eq!(parse(format, text), Ok(SessionPolicy::default()), "{format:?}");
        }
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        let cases = [
            (
                Format::Toml,
                "[topics.a]\ngrace = 1\n",
                "line 2, column 1: unknown key `grace` in [topics.a]: did you mean `grace_ms`?",
            ),
            (Format::Toml, "grace_ms = 9000000\n", "line 1, column 12: a grace of 9000000 ms; the longest is 1800000"),
            (
                Format::Toml,
                "\nexpected = [\"a/b\", \"c\"]",
                "line 2, column 12: `c` names no instance: it is written service/id",
            ),
            (Format::Toml, "expected = [\"a/b\", \"a/b\"]", "line 1, column 12: `a/b` is given twice"),
            (Format::Json, "{\n \"grace\": 1}", "line 2, column 8: unknown key `grace`: did you mean `grace_ms`?"),
            (
                Format::Json,
                "{\"topics\": {\"a\":\n {\"grace_ms\": -1}}}",
                "line 2, column 16: invalid value: integer `-1`, expected u32",
            ),
            (Format::Yaml, "topics:\n  a:\n    grace_ms: soon\n", "line 3, column 15: invalid u32"),
            (
                Format::Yaml,
                "topics:\n  a:\n    grace: 1\n",
                "line 3, column 5: unknown key `grace`: did you mean `grace_ms`?",
            ),
            (Format::Yaml, "instances:\n  a: 1\n", "line 2, column 3: `a` names no instance: it is written service/id"),
            (Format::Ini, "[topics.a]\n\ngrace_ms = soon\n", "line 3, column 1: `soon` is not a whole number"),
            (
                Format::Ini,
                "[topics.a]\n\ngrace_s = 1\n",
                "line 3, column 1: unknown key `grace_s`: did you mean `grace_ms`?",
            ),
            (
                Format::Ini,
                "[topics]\n[instances]\ngateway = 1\n",
                "line 3, column 1: `gateway` names no instance: it is written service/id",
            ),
            (
                Format::Ini,
                "[topics]\na = 1\n",
                "line 2, column 1: invalid type: string \"1\", expected what is decided about a topic",
            ),
            (Format::Toml, "grace_ms = ", "line 1, column 12: string values must be quoted, expected literal string"),
        ];
        for (format, text, expected) in cases {
            let found = parse(format, text).map_or_else(|error| error.to_string(), |policy| format!("{policy:?}"));
            assert_eq!(found, expected, "{format:?}\n{text}");
        }
    }

    #[test]
    fn tables_are_bounded() {
        let topics: String = (0..=limits::POLICY_TOPICS_MAX).map(|n| format!("[topics.t{n}]\n")).collect();
        let refused = parse(Format::Toml, &topics).map_err(|error| error.message);
        assert_eq!(refused, Err("65 topics; the limit is 64".to_owned()));
    }
}
