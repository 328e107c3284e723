//! `keeperctl config consumers`: which kinds of processes read a document, and by which schema.

use keeper_client_sdk::{ConsumerGroup, Consumers};
use serde::Serialize;
use serde_json::Value;

use crate::{
    admin::Admin,
    failure::Failure,
    name,
    render::{self, Report},
};

pub(super) async fn show(admin: &mut Admin<'_, '_>, path: &str, with_schemas: WithSchemas) -> Result<(), Failure> {
    let consumers = admin.keeper.configs().consumers(path).await?;
    if consumers.groups.is_empty() {
        admin.console.say(format_args!("no open instance has said that it reads {path}"));
    }
    admin.console.print(&Readers::of(path, consumers, with_schemas))
}

/// Whether schemas are shown whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithSchemas {
    No,
    Yes,
}

#[derive(Debug, Serialize)]
struct Readers {
    path: String,
    revision: u64,
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
struct Group {
    service: String,
    version: String,
    instances: u32,
    /// None: it takes any value.
    schema_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
}

impl Readers {
    fn of(path: &str, consumers: Consumers, with_schemas: WithSchemas) -> Self {
        let group = |ConsumerGroup { service, version, instances, schema }| {
            let whole = schema.as_ref().filter(|_| with_schemas == WithSchemas::Yes);
            Group {
                service,
                version,
                instances,
                schema_hash: schema.as_ref().map(|schema| name::hex(&schema.hash)),
                schema: whole.and_then(|schema| serde_json::from_slice(&schema.text).ok()),
            }
        };
        let Consumers { revision, groups } = consumers;
        Self { path: path.to_owned(), revision, groups: groups.into_iter().map(group).collect() }
    }
}

impl Report for Readers {
    fn table(&self) -> String {
        let cells = |group: &Group| {
            let schema = group.schema_hash.clone().unwrap_or_else(|| "any value".to_owned());
            [group.service.clone(), group.version.clone(), group.instances.to_string(), schema]
        };
        let groups = render::table(["SERVICE", "VERSION", "INSTANCES", "SCHEMA"], self.groups.iter().map(cells));
        let schemas = self.groups.iter().filter_map(|group| {
            let (hash, schema) = (group.schema_hash.as_ref()?, group.schema.as_ref()?);
            Some(format!("{} {}, schema {hash}:\n{schema:#}\n", group.service, group.version))
        });
        render::sections([groups].into_iter().chain(schemas))
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::ConsumerSchema;

    use super::*;

    #[test]
    fn readers_in_columns() {
        let schema = ConsumerSchema { hash: vec![0xab, 0x01].into(), text: br#"{"type":"object"}"#.to_vec().into() };
        let group = |version: &str, schema| ConsumerGroup {
            service: "room".into(),
            version: version.into(),
            instances: 37,
            schema,
        };
        let consumers = Consumers { revision: 9, groups: vec![group("1.4.2", Some(schema)), group("1.3.0", None)] };
        let expected = "\
SERVICE  VERSION  INSTANCES  SCHEMA
room     1.4.2    37         0xab01
room     1.3.0    37         any value

room 1.4.2, schema 0xab01:
{
  \"type\": \"object\"
}
";
        assert_eq!(Readers::of("a.toml", consumers, WithSchemas::Yes).table(), expected);
    }
}
