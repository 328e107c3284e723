//! `keeperctl config effective`: what an instance runs with, and which layer gave each field.

use keeper_client_sdk::{AppliedLayer, Effective, GivenField, Secrets};
use serde::Serialize;
use serde_json::Value;

use crate::{
    admin::Admin,
    args::{EffectiveConfig, Target},
    config::get::Whole,
    console::Output,
    failure::Failure,
    render::{self, Report},
};

pub(super) async fn show(admin: &mut Admin<'_, '_>, typed: &EffectiveConfig) -> Result<(), Failure> {
    let reader = typed.whom.reader().map_err(Failure::failed)?;
    let secrets = if typed.reveal { Secrets::Revealed } else { Secrets::Masked };
    let effective = admin.keeper.configs().effective(&typed.path, &reader, secrets).await?;
    if let Some(Target { service, id: None }) = &typed.whom.target {
        let instances = admin.keeper.instances().list("").await?;
        let names = instances.iter().map(|instance| (&*instance.service, &*instance.id));
        if let Some(hint) = meant(service, names) {
            admin.console.say(hint);
        }
    }
    let Some(explained) = Explained::of(&typed.path, effective)? else {
        return Err(Failure::refused(format!("there is nothing of {} for it", typed.path))
            .remedy(format!("see which layers there are with `keeperctl config list {}`", typed.path)));
    };
    if typed.explain || admin.console.output == Output::Json {
        return admin.console.print(&explained);
    }
    admin.console.print(&Whole(explained.value))
}

/// Of a name without an ID, which is a service's: what it probably was to be.
fn meant<'a>(typed: &str, names: impl Iterator<Item = (&'a str, &'a str)>) -> Option<String> {
    let mut named = None;
    for (service, id) in names {
        if service == typed {
            return None;
        }
        named = named.or_else(|| (id == typed).then_some(service));
    }
    let service = named?;
    Some(format!(
        "this is for an instance of a service {typed}, of which none is open; did you mean `{service}/{typed}`?"
    ))
}

/// An effective document with where it comes from.
#[derive(Debug, Serialize)]
struct Explained {
    path: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<u64>,
    layers: Vec<Layer>,
    fields: Vec<Given>,
    value: Value,
}

#[derive(Debug, Serialize)]
struct Layer {
    key: String,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Given {
    path: String,
    value: Value,
    layer: String,
}

impl Explained {
    /// None: there is no document.
    fn of(path: &str, effective: Effective) -> Result<Option<Self>, Failure> {
        let Effective { document, fields, layers, .. } = effective;
        let Some(document) = document.filter(|document| !document.deleted) else { return Ok(None) };
        let layer = |AppliedLayer { key, revision, rollout }| Layer { key, revision, rollout };
        let given = |GivenField { path, value, key }| Given { path, value, layer: key };
        Ok(Some(Self {
            path: path.to_owned(),
            revision: document.revision,
            rollout: document.rollout,
            layers: layers.into_iter().map(layer).collect(),
            fields: fields.into_iter().map(given).collect(),
            value: document.value()?,
        }))
    }
}

impl Report for Explained {
    fn table(&self) -> String {
        let cells = |layer: &Layer| {
            let rollout = layer.rollout.map(|rollout| rollout.to_string()).unwrap_or_default();
            [layer.key.clone(), layer.revision.to_string(), rollout]
        };
        let layers = render::table(["LAYER", "REVISION", "ROLLOUT"], self.layers.iter().map(cells));
        let cells = |given: &Given| [given.path.clone(), given.value.to_string(), given.layer.clone()];
        let fields = render::table(["FIELD", "VALUE", "FROM"], self.fields.iter().map(cells));
        render::sections([layers, fields])
    }
}

#[cfg(test)]
mod tests {
    use keeper_client_sdk::EffectiveDocument;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_instance_that_is_typed_without_its_service_is_guessed() {
        let open = [("gate", "g1"), ("room", "room-1")];
        let expected =
            "this is for an instance of a service room-1, of which none is open; did you mean `room/room-1`?";
        assert_eq!(meant("room-1", open.into_iter()).as_deref(), Some(expected));
        assert_eq!(meant("room", open.into_iter()), None);
        assert_eq!(meant("saver", open.into_iter()), None, "it might be");
    }

    fn effective() -> Effective {
        let document = EffectiveDocument {
            path: "a.toml".into(),
            revision: 12,
            canonical: br#"{"a":1,"b":"x"}"#.to_vec().into(),
            deleted: false,
            rollout: None,
        };
        let layer = |key: &str, revision| AppliedLayer { key: key.into(), revision, rollout: None };
        let given = |path: &str, value, key: &str| GivenField { path: path.into(), value, key: key.into() };
        Effective {
            revision: 15,
            document: Some(document),
            fields: vec![given("a", json!(1), "a.toml@zone=eu-1"), given("b", json!("x"), "a.toml")],
            layers: vec![layer("a.toml", 9), layer("a.toml@zone=eu-1", 12)],
        }
    }

    #[test]
    fn each_field_has_its_layer() {
        let explained = Explained::of("a.toml", effective()).expect("a value").expect("a document");
        let expected = "\
LAYER             REVISION  ROLLOUT
a.toml            9         -
a.toml@zone=eu-1  12        -

FIELD  VALUE  FROM
a      1      a.toml@zone=eu-1
b      \"x\"    a.toml
";
        assert_eq!(explained.table(), expected);
        let nothing = Effective { document: None, ..effective() };
        assert!(Explained::of("a.toml", nothing).is_ok_and(|it| it.is_none()));
    }
}
